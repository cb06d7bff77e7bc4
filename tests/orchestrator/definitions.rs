//! Deploying: new, unchanged, replaced; what runs keeps its own.

use saga::check::{as_one_text, check_file};
use saga::files::Folder;
use saga::runtime::{Decision, DeployError, Standing};
use saga::source::SourceFile;

use super::house::{BOOKING, Cast, INPUT, Says, instance, json, open, open_with, start};

#[tokio::test(flavor = "multi_thread")]
async fn deployed_once_it_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open(directory.path()).await;
    let standing = |deployed: Vec<saga::runtime::Deployed>| deployed[0].standing;
    assert_eq!(standing(orchestrator.deploy("booking.saga", BOOKING).await.unwrap()), Standing::New);
    assert_eq!(standing(orchestrator.deploy("booking.saga", BOOKING).await.unwrap()), Standing::Unchanged);
    drop(orchestrator);
    let orchestrator = open(directory.path()).await;
    assert!(orchestrator.plans().current("booking").is_some());
    let second = BOOKING.replace("version 1", "version 2");
    assert_eq!(
        standing(orchestrator.deploy("booking.saga", &second).await.unwrap()),
        Standing::Replaces { version: 1 }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn other_content_under_the_same_number_is_refused_while_the_old_one_runs() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open_with(directory.path(), &Cast::new([("Charge", Says::Nothing)])).await;
    let changed = BOOKING.replace("receipt: charge.receipt", "receipt: charge.receipt, nights: input.nights");
    start(&orchestrator, "order-1", INPUT).await;
    let error = orchestrator.deploy("booking.saga", &changed).await.unwrap_err();
    insta::assert_snapshot!(error, @"deploy saga `booking`: version 1 is taken by another content, by which `order-1` still runs");
    let numbered = changed.replace("version 1", "version 2");
    orchestrator.deploy("booking.saga", &numbered).await.unwrap();
    let old = orchestrator.get(&instance("order-1")).await.unwrap();
    assert_eq!(old.plan.saga.version, 1, "it keeps what it was started with");
    let (id, accepted) = orchestrator.start("booking", None, json(INPUT), None).await.unwrap();
    assert_eq!(accepted.decision().await, Some(Decision::Changed));
    assert_eq!(orchestrator.get(&id).await.unwrap().plan.saga.version, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_as_large_as_the_language_allows_is_deployed() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open(directory.path()).await;
    let remark = "// a remark\n";
    let room = saga::syntax::limits::MAX_FILE_BYTES - BOOKING.len();
    let large = format!("{BOOKING}\n{}", remark.repeat(room / remark.len() - 1));
    orchestrator.deploy("booking.saga", &large).await.unwrap();
    drop(orchestrator);
    assert!(open(directory.path()).await.plans().current("booking").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_errors_is_refused_with_all_of_them() {
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open(directory.path()).await;
    let error = orchestrator.deploy("booking.saga", "saga booking { step }").await.unwrap_err();
    let DeployError::Refused { findings } = error else { panic!("{error}") };
    assert!(!findings.is_empty());
    assert!(orchestrator.plans().sagas().next().is_none());
}

/// What is stored is compiled anew by every orchestrator, and none of them has the author's files.
#[tokio::test(flavor = "multi_thread")]
async fn what_uses_other_files_is_stored_as_one_text() {
    let folder = tempfile::tempdir().unwrap();
    let (participants, saga) = BOOKING.split_at(BOOKING.find("saga booking").unwrap());
    std::fs::write(folder.path().join("participants.saga"), participants).unwrap();
    let path = folder.path().join("booking.saga");
    let file = SourceFile::new("booking.saga", format!("use \"participants.saga\"\n{saga}"));
    let checked = check_file(file, &Folder::around(&path).unwrap());
    assert!(!checked.has_errors(), "{:?}", checked.findings);
    let text = as_one_text(&checked.sources, &checked.trees);
    let directory = tempfile::tempdir().unwrap();
    let orchestrator = open(directory.path()).await;
    orchestrator.deploy_program(&checked.program, &text).await.unwrap();
    drop(orchestrator);
    drop(folder);
    let orchestrator = open(directory.path()).await;
    let plan = orchestrator.plans().current("booking").unwrap().clone();
    assert_eq!(plan.saga.hash(), checked.program.sagas["booking"].hash());
    // It is the content that counts, not in how many files it was written.
    let deployed = orchestrator.deploy("booking.saga", BOOKING).await.unwrap();
    assert_eq!(deployed[0].standing, Standing::Unchanged);
}
