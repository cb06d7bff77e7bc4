//! A record that no client in Rust can write: a header whose name is no text. Kafka takes it, so anybody may.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use saga::log::kafka::{Raw, Settings};

use super::adapter::{RUNTIME, prefix};
use super::broker::shared;
use super::house::{FILE, House, text};

const KEPT: Duration = Duration::from_hours(1);

/// Produce, in the oldest form that brokers take.
const PRODUCE: i16 = 0;
const VERSION: i16 = 3;

fn crc32c(bytes: &[u8]) -> u32 {
    let byte =
        |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1)));
    !bytes.iter().fold(!0, byte)
}

/// A small number that is not negative, as records have it; so it is one byte.
fn short(number: usize) -> u8 {
    u8::try_from(number * 2).ok().filter(|byte| *byte < 128).expect("a small number")
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&[short(bytes.len())], bytes].concat()
}

/// A batch of one record.
fn batch(key: &[u8], payload: &[u8], headers: &[(&[u8], &[u8])]) -> Vec<u8> {
    let headers: Vec<Vec<u8>> = headers.iter().map(|(name, value)| [sized(name), sized(value)].concat()).collect();
    let record = [&[0, 0, 0][..], &sized(key), &sized(payload), &[short(headers.len())], &headers.concat()].concat();
    // Attributes, the last record's number, two times, no producer's id, epoch and number, and how many records.
    let what = [&[0; 22][..], &[0xff; 14], &1_i32.to_be_bytes(), &sized(&record)].concat();
    let length = i32::try_from(4 + 1 + 4 + what.len()).unwrap();
    [&0_i64.to_be_bytes()[..], &length.to_be_bytes(), &[0; 4], &[2], &crc32c(&what).to_be_bytes(), &what].concat()
}

/// Writes a batch to partition 0 of a topic.
fn produce(address: &str, topic: &str, batch: &[u8]) {
    let long = |number: usize| i32::try_from(number).unwrap().to_be_bytes();
    let text = |text: &str| [&i16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat();
    let head = [&PRODUCE.to_be_bytes()[..], &VERSION.to_be_bytes(), &[0; 4], &text("foreign")].concat();
    let how = [&(-1_i16).to_be_bytes()[..], &(-1_i16).to_be_bytes(), &30_000_i32.to_be_bytes()].concat();
    let what = [&long(1)[..], &text(topic), &long(1), &long(0), &long(batch.len()), batch].concat();
    let request = [head, how, what].concat();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&[&long(request.len())[..], &request].concat()).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut answer).unwrap();
    let code = 4 + 4 + 2 + topic.len() + 4 + 4;
    assert_eq!(answer[code..code + 2], [0, 0], "{answer:?}");
}

/// It stays until somebody takes it away, so whoever only looks or orders is not told each time.
#[test]
fn what_a_stranger_wrote_beside_definitions_is_said_by_servers_alone_with_its_key() {
    let Some(broker) = shared() else { return };
    let house = House::new(broker);
    let server = house.serve(&["--participants", "simulated"]);
    server.stop();
    produce(&broker.address(), &format!("{}.definitions", house.prefix), &batch(b"a\xff\nb", b"what", &[]));
    let passed = "a record of the definitions is passed over";
    for arguments in [&["list"][..], &["definitions"], &["deploy", FILE], &["cancel", "b-1"]] {
        let said = text(&house.run(arguments));
        assert!(!said.contains(passed), "{said}");
    }
    let server = house.serve(&["--participants", "simulated"]);
    assert!(server.said.contains(passed) && server.said.contains(r#"key="a\xff\nb""#), "{}", server.said);
}

#[test]
fn a_header_whose_name_is_no_text_is_passed_over_and_reading_goes_on() {
    let Some(broker) = shared() else { return };
    let raw = Raw::open(&Settings::new(broker.address(), []).unwrap()).unwrap();
    let topic = format!("{}.foreign", prefix());
    RUNTIME.block_on(raw.make(&topic, 1, KEPT)).unwrap();
    produce(&broker.address(), &topic, &batch(b"key", b"one", &[(b"\xff\xfe", b"x"), (b"saga-a", b"\xffy")]));
    produce(&broker.address(), &topic, &batch(b"key", b"two", &[]));
    let all = raw.read_all(&topic, 0).unwrap();
    let payloads: Vec<&[u8]> = all.iter().map(|message| &*message.payload).collect();
    assert_eq!(payloads, [b"one", b"two"]);
    assert_eq!(all[0].headers.iter().collect::<Vec<_>>(), [("saga-a", "\u{fffd}y")]);
}
