//! What `saga serve` says for whoever is on call: instances that wait for a person, and which definitions new ones run by.

use serde_json::Value;

use super::operating::night;
use super::running::desk;
use super::serving::{Server, start};
use super::{Desk, in_form};

/// Declines every card, and puts nothing back.
const NO: &str = r#"
while read -r line; do
  field() { printf '%s' "$line" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
  case "$(field kind):$(field step)" in
    do:reserve) status='"status":"succeeded","data":{"hold":"h-1"}' ;;
    do:*) status='"status":"failed","code":"declined"' ;;
    *) status='"status":"failed","code":"jammed","data":{"message":"the shelf\nis full"}' ;;
  esac
  printf '{"command":"%s","kind":"%s","attempt":"%s",%s}\n' "$(field command)" "$(field kind)" "$(field attempt)" "$status"
done
"#;

/// A server whose orders all get stuck.
fn serving(desk: Desk, environment: &[(&str, &str)]) -> Server {
    desk.file("no.sh", NO);
    let more = ["order.saga", "--participant", "stock=process:sh no.sh", "--participant", "payments=process:sh no.sh"];
    Server::with_environment(desk, &more, environment)
}

fn lines<'s>(said: &'s str, words: &str) -> Vec<&'s str> {
    said.lines().filter(|line| line.contains(words)).collect()
}

#[test]
fn who_waits_for_a_person_and_who_does_no_more_is_said_once() {
    let server = serving(desk(), &[("SAGA_LOG", "saga::runtime::on_call=info")]);
    server.ask("POST", "/instances", &start("o-1"));
    server.until("o-1", "stuck");
    server.saga(&["resolve", "o-1", "reserve", "--undo", "--succeeded", "--by", "eva"]);
    server.until("o-1", "compensated");
    let (desk, said) = server.stop_and_hear();
    assert!(!said.contains("ana"), "{said}");
    let of_one: Vec<&str> = lines(&said, "\"o-1\"");
    insta::assert_snapshot!(in_form(&of_one.join("\n")));
    // What is known is no news, and nobody waits any more.
    let (_, said) = serving(desk, &[("SAGA_LOG", "info")]).stop_and_hear();
    let news = ["new instances", "are stuck", "is stuck"];
    assert!(!news.iter().any(|words| said.contains(words)), "{said}");
}

#[test]
fn a_flood_of_those_who_wait_is_summed_up_and_said_in_a_line_a_partition_at_a_restart() {
    const MANY: usize = 40;
    let server = serving(desk(), &[]);
    for number in 0..MANY {
        server.ask("POST", "/instances", &start(&format!("o-{number}")));
    }
    for number in 0..MANY {
        server.until(&format!("o-{number}"), "stuck");
    }
    let (desk, said) = server.stop_and_hear();
    let each = lines(&said, "an instance is stuck").len();
    let more = sum(&said, "and more are stuck", "more=");
    assert!(each >= 10 && more > 0 && each + more == MANY, "{each} and {more}: {said}");
    let (_, said) = serving(desk, &[]).stop_and_hear();
    assert_eq!(lines(&said, "an instance is stuck").len(), 0, "{said}");
    assert_eq!(sum(&said, "instances are stuck", "stuck="), MANY, "{said}");
    let partitions = lines(&said, "instances are stuck");
    assert!(partitions.len() <= 4, "{said}");
}

/// Of all lines with the words, the numbers behind `key`.
fn sum(said: &str, words: &str, key: &str) -> usize {
    let number = |line: &&str| -> usize {
        let rest = line.split_once(key).map(|(_, rest)| rest).unwrap_or_default();
        rest.split(' ').next().unwrap_or_default().parse().unwrap()
    };
    lines(said, words).iter().map(number).sum()
}

#[test]
fn which_version_new_instances_run_by_is_said() {
    let said = |desk: Desk| serving(desk, &[("SAGA_LOG", "info")]).stop_and_hear();
    let (desk, first) = said(desk());
    desk.file(
        "order.saga",
        super::running::ORDER.replace("version 1", "version 2").replace("timeout 10s", "timeout 9s"),
    );
    let (_, second) = said(desk);
    let news: Vec<&str> = [&first, &second].iter().flat_map(|said| lines(said, "new instances run by")).collect();
    insta::assert_snapshot!(in_form(&news.join("\n")));
}

#[test]
fn a_command_says_how_its_instance_stands_and_no_more() {
    let desk = night();
    for arguments in [&["retry", "o-3"][..], &["run", "order.saga", "--id", "o-3"], &["list"]] {
        let ran = desk.command(arguments).output().unwrap();
        let said = String::from_utf8(ran.stderr).unwrap();
        assert!(!said.contains("WARN"), "{said}");
    }
}

#[test]
fn all_that_are_stuck_are_tried_again_by_one_command() {
    let desk = night();
    let order = "retry --stuck --saga order --step reserve --by eva --request r-1";
    let order: Vec<&str> = order.split(' ').chain(["--reason", "the shelf is free"]).collect();
    let at = |step: &str| desk.command(&["retry", "--stuck", "--step", step]).output().unwrap();
    let unknown = String::from_utf8(at("shelve").stderr).unwrap();
    assert!(unknown.contains("no saga that is deployed has a step `shelve`"), "{unknown}");
    assert_eq!(String::from_utf8(at("charge").stderr).unwrap(), "nothing is stuck\n", "at that step");
    let listed = |step: &str| desk.saga(&["list", "--step", step]).contains("o-3");
    assert_eq!([listed("charge"), listed("reserve")], [false, true]);
    let retried = desk.command(&[&order[..], &["--json"]].concat()).output().unwrap();
    let retried: Value = serde_json::from_slice(&retried.stdout).unwrap();
    let taken = serde_json::json!({"id": "o-3", "request": "r-1", "order": "taken"});
    assert_eq!(retried, serde_json::json!({"orders": [taken], "refused": [], "left": 0}));
    assert!(desk.saga(&["history", "o-3"]).contains("the shelf is free"));
    let again = desk.command(&order).output().unwrap();
    assert_eq!(String::from_utf8(again.stderr).unwrap(), "nothing is stuck\n", "it is tried again by who runs it next");
    for senseless in [&["retry"][..], &["retry", "o-3", "--stuck"], &["retry", "o-3", "--saga", "order"]] {
        assert_eq!(desk.command(senseless).output().unwrap().status.code(), Some(2), "{senseless:?}");
    }
}

/// Whoever gives every order of a night under one id would believe the second one.
#[test]
fn another_order_under_the_id_of_one_is_refused_when_the_instance_has_ended_too() {
    let desk = night();
    let resolve = ["resolve", "o-3", "reserve", "--undo", "--succeeded", "--request", "r-1"];
    let ran = |arguments: &[&str]| desk.command(arguments).output().unwrap();
    assert_eq!(ran(&resolve).status.code(), Some(0));
    assert!(
        desk.saga(&["run", "order.saga", "--id", "o-3", "--scenario", "the lamp cannot be put back"]).contains("o-3")
    );
    assert!(desk.saga(&["show", "o-3"]).contains("compensated"));
    let cancelled = ran(&["cancel", "o-3", "--request", "r-1"]);
    let said = String::from_utf8(cancelled.stderr).unwrap();
    assert!(cancelled.status.code() == Some(6) && said.contains("has ended"), "{said}");
    assert_eq!(ran(&resolve).status.code(), Some(0), "the very order is known");
}
