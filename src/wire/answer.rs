//! Answers: from the engine to whoever made a request and said where it wants to hear of it.

use compact_str::CompactString;

use super::cloud_event::Writing;
use super::{CloudEvent, Message, RecordId, WireError, attribute, text};
use crate::engine::{Answer, End, Failure, InstanceId, Refusal, Rejection, ReplyTo, RequestId};

/// The source of all answers.
const SOURCE: &str = "/saga/engine";

/// An answer as its reader has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// To which request.
    pub request: RequestId,
    /// Of which instance.
    pub instance: InstanceId,
    /// What came of it.
    pub ending: Ending,
    /// The journal record that says so: of two answers to one request the higher counts.
    pub record: RecordId,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The saga ended so.
    Ended(End),
    /// The request was refused.
    Rejected(Rejection),
}

/// How a saga ended, as a message for [`ReplyTo::topic`].
#[must_use]
pub fn answer(answer: &Answer, instance: &InstanceId, record: RecordId) -> Message {
    match &answer.end {
        End::Completed(output) => message(&answer.to, instance, record, "completed", (None, output.get())),
        End::Compensated(failure) => {
            message(&answer.to, instance, record, "compensated", (Some(&failure.code), &text::encoded(failure)))
        }
    }
}

/// A refused request, as a message for [`ReplyTo::topic`].
#[must_use]
pub fn rejection(to: &ReplyTo, instance: &InstanceId, rejection: &Rejection, record: RecordId) -> Message {
    message(to, instance, record, "rejected", (Some(refusal_word(rejection.code).as_str()), &text::encoded(rejection)))
}

fn message(
    to: &ReplyTo,
    instance: &InstanceId,
    record: RecordId,
    status: &'static str,
    (code, body): (Option<&str>, &str),
) -> Message {
    let event = format_args!("{}/{status}", to.request);
    let mut writing = Writing::new(instance.as_str(), event, attribute::ANSWER_TYPE, SOURCE);
    writing.push(attribute::INSTANCE, instance.as_str());
    writing.push(attribute::REQUEST, to.request.as_str());
    writing.push(attribute::STATUS, status);
    writing.push_if(attribute::CODE, code);
    writing.push_plain(attribute::RECORD, record);
    writing.end(Some(body))
}

/// The refusal's word as it is serialized.
fn refusal_word(refusal: Refusal) -> CompactString {
    match serde_json::to_value(refusal) {
        Ok(serde_json::Value::String(word)) => CompactString::from(word),
        Ok(_) | Err(_) => CompactString::const_new("refused"),
    }
}

/// Reads an answer.
///
/// # Errors
/// An attribute is missing or wrong, or the data does not fit the status.
pub fn read_answer(event: &CloudEvent<'_>) -> Result<Answered, WireError> {
    const WANTED: &str = "`completed`, `compensated` or `rejected`";
    text::expect_type(event, attribute::ANSWER_TYPE)?;
    let ending = match text::required(event, attribute::STATUS, WANTED)? {
        "completed" => Ending::Ended(End::Completed(event.data_or_empty())),
        "compensated" => Ending::Ended(End::Compensated(text::shape::<Failure>("compensated", event)?)),
        "rejected" => Ending::Rejected(text::shape::<Rejection>("rejected", event)?),
        other => return Err(WireError::wrong(attribute::STATUS, other, WANTED)),
    };
    Ok(Answered {
        request: text::request_id(event, attribute::REQUEST)?,
        instance: text::instance(event)?,
        ending,
        record: text::parsed(event, attribute::RECORD, "partition/offset, such as 3/1042")?,
    })
}
