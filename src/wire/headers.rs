//! The headers of a message.
//!
//! Ours have one, always the same, so that all of them share it.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The header of every message of ours, which says what its payload is: CloudEvents asks for it.
const OURS: (&str, &str) = ("content-type", "application/cloudevents+json");

/// A name and its value.
type Pair = (Box<str>, Box<str>);

/// Names and values, in their order. A name may be there more than once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Option<Arc<Vec<Pair>>>);

impl Headers {
    /// Those of a message of ours.
    pub(crate) fn ours() -> Self {
        static SHARED: LazyLock<Headers> = LazyLock::new(|| {
            let mut headers = Headers::default();
            headers.push(OURS.0, OURS.1);
            headers
        });
        SHARED.clone()
    }

    /// Adds one behind the others.
    pub fn push(&mut self, name: &str, value: &str) {
        Arc::make_mut(self.0.get_or_insert_default()).push((Box::from(name), Box::from(value)));
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator {
        self.0.as_deref().map_or(&[][..], Vec::as_slice).iter().map(|(name, value)| (&**name, &**value))
    }

    /// The value of the first one of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of all names and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

impl<'a, V: AsRef<str>> FromIterator<(&'a str, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, V)>>(all: I) -> Self {
        let mut all = all.into_iter().peekable();
        let is_ours = |(name, value): &(&str, V)| (*name, value.as_ref()) == OURS;
        let mut headers = if all.next_if(is_ours).is_some() { Self::ours() } else { Self::default() };
        all.for_each(|(name, value)| headers.push(name, value.as_ref()));
        headers
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// As pairs of a name and a value.
impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pairs of a name and a value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Headers, A::Error> {
                let mut headers = Headers::default();
                while let Some((name, value)) = pairs.next_element::<(String, String)>()? {
                    headers.push(&name, &value);
                }
                Ok(headers)
            }
        }

        deserializer.deserialize_seq(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Headers;

    proptest! {
        #[test]
        fn headers_are_a_list_of_pairs(pairs in vec(("[ab]{0,2}", any::<String>()), 0..6)) {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let headers: Headers = pairs.iter().copied().collect();
            prop_assert_eq!(headers.iter().collect::<Vec<_>>(), pairs.clone());
            prop_assert_eq!(headers.len(), pairs.len());
            prop_assert_eq!(headers.get("a"), pairs.iter().find(|(name, _)| *name == "a").map(|(_, value)| *value));
            let text = serde_json::to_string(&headers).unwrap();
            prop_assert_eq!(&text, &serde_json::to_string(&pairs).unwrap());
            prop_assert_eq!(&serde_json::from_str::<Headers>(&text).unwrap(), &headers);
        }
    }
}
