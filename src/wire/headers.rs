//! A message's headers, all in one piece of text.
//!
//! A message has about fifteen of them, is made by one thread and dropped by another: a piece of memory for each name and
//! value was a tenth of what an orchestrator took.

use std::fmt::{self, Write as _};

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Room for the usual message: less would be doubled on the way.
const TEXT_USUAL: usize = 640;
const COUNT_USUAL: usize = 20;

/// Names and values, in their order. A name may be there more than once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    text: String,
    /// Where in the text names and values end.
    ends: Vec<[u32; 2]>,
}

impl Headers {
    /// With room for a message like ours.
    pub(crate) fn with_usual_capacity() -> Self {
        Self { text: String::with_capacity(TEXT_USUAL), ends: Vec::with_capacity(COUNT_USUAL) }
    }

    /// Adds one behind the others.
    pub fn push(&mut self, name: &str, value: &str) {
        self.text.push_str(name);
        let name = self.end();
        self.text.push_str(value);
        self.ends.push([name, self.end()]);
    }

    /// The same, with what a value shows as.
    pub(super) fn push_shown(&mut self, name: &str, value: impl fmt::Display) {
        self.text.push_str(name);
        let name = self.end();
        write!(self.text, "{value}").expect("a string takes everything");
        self.ends.push([name, self.end()]);
    }

    fn end(&self) -> u32 {
        u32::try_from(self.text.len()).expect("no log takes a message of 4 GiB")
    }

    /// The same, without room for more.
    #[cfg(feature = "kafka")]
    pub(crate) fn fitted(&self) -> Self {
        self.clone()
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> + ExactSizeIterator {
        (0..self.ends.len()).map(|index| self.at(index).unwrap_or_default())
    }

    fn at(&self, index: usize) -> Option<(&str, &str)> {
        let [name, value] = self.ends.get(index)?.map(|end| end as usize);
        let begin = index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |[_, end]| *end as usize);
        Some((self.text.get(begin..name)?, self.text.get(name..value)?))
    }

    /// The value of the first one of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Gives all of that name another value.
    #[cfg(any(feature = "kafka", test))]
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        *self = self.iter().map(|(known, held)| (known, if known == name { value } else { held })).collect();
    }

    /// Removes all of that name.
    pub fn remove(&mut self, name: &str) {
        if self.get(name).is_some() {
            *self = self.iter().filter(|(known, _)| *known != name).collect();
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all names and values.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.text.len()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(all: I) -> Self {
        let mut headers = Self::default();
        all.into_iter().for_each(|(name, value)| headers.push(name, value));
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
            let (mut without, mut with) = (headers.clone(), headers);
            without.remove("a");
            with.set("a", "new");
            prop_assert_eq!(
                without.iter().collect::<Vec<_>>(),
                pairs.iter().copied().filter(|(name, _)| *name != "a").collect::<Vec<_>>()
            );
            let set = |(name, value)| (name, if name == "a" { "new" } else { value });
            prop_assert_eq!(with.iter().collect::<Vec<_>>(), pairs.into_iter().map(set).collect::<Vec<_>>());
        }
    }
}
