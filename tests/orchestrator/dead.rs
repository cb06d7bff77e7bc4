//! What was set aside, as it is looked at: by an orchestrator, and by one who only looks.

use saga::log::{Outcome, REQUESTS, partition_of};
use saga::runtime::{Client, Error, Onlooker};
use saga::wire::Message;

use super::house::{Cast, open_with};

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_read_is_listed_with_where_it_came_and_why() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([])).await;
    let client = Client::new(orchestrator.log());
    let partition = partition_of("k", orchestrator.log().partitions());
    for number in 0..3 {
        let payload = format!("junk {number} {}", "x".repeat(300)).into_bytes().into();
        let message = Message { key: "k".into(), payload, ..Message::default() };
        assert_eq!(client.append(&REQUESTS.into(), partition, message).await, Outcome::At(number));
    }
    let letters = loop {
        let letters = orchestrator.dead(2).await.unwrap();
        if letters.all == 3 {
            break letters;
        }
        tokio::task::yield_now().await;
    };
    let places: Vec<_> = letters.letters.iter().map(|letter| letter.place.clone().unwrap()).collect();
    assert_eq!(places, [format!("{partition}/2"), format!("{partition}/1")], "the newest first, and no more than that");
    let newest = &letters.letters[0];
    assert_eq!((newest.topic.as_deref(), &*newest.key), (Some(REQUESTS), "k"));
    assert!(newest.why.starts_with("failed to "), "{}", newest.why);
    assert!(newest.payload.starts_with(b"junk 2") && newest.payload.len() < newest.bytes, "its beginning");
    let whole = orchestrator.dead_at(partition, newest.offset).await.unwrap().unwrap();
    assert_eq!((whole.payload.len(), whole.offset), (whole.bytes, newest.offset));
    assert_eq!(orchestrator.dead_at(partition, 3).await.unwrap(), None);
    let nowhere = orchestrator.dead_at(99, 0).await.unwrap_err();
    assert!(matches!(nowhere, Error::NoPartition { .. }), "{nowhere}");
    orchestrator.close().await;

    let beside = Onlooker::open(directory.path()).await.unwrap();
    assert_eq!(beside.dead(2).await.unwrap(), letters);
    assert_eq!(beside.dead_at(partition, newest.offset).await.unwrap(), Some(whole));
}
