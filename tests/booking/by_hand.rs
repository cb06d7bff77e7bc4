//! The services alone: a driver books as a saga would, repeats what it need not, and kills services in between.

use saga::participant::Address;
use saga::wire::attribute;

use super::processes::Server;
use super::world::{Dice, World, dice};
use crate::participant::{carried, command, settings, with};

/// One booking's way to one service.
struct Asking<'a> {
    booking: &'a str,
    server: &'a Server,
    step: &'a str,
}

impl Asking<'_> {
    /// Asks until there is a final reply.
    async fn ask(&self, kind: &str, call: &str, payload: &str) -> String {
        let address: Address = self.server.commands().parse().expect("an address");
        let asked = with(command(self.booking, kind, call, payload), attribute::DEADLINE, "9999999999999");
        let asked = with(asked, attribute::KEEP_UNTIL, "9999999999999");
        let asked = with(asked, attribute::COMMAND, &format!("{}/1/{}/1", self.booking, self.step));
        for _ in 0..1_000 {
            let (replies, _) = carried(&address, settings(), vec![asked.clone()]).await;
            let said = replies.first().and_then(|reply| reply.split_once(": ")).map(|(_, said)| said.to_owned());
            match said {
                Some(said) if !said.starts_with("retry") => return said,
                Some(_) | None => {}
            }
        }
        panic!("{} never answers", self.step)
    }
}

/// Whether it was booked.
async fn book(world: &mut World, dice: &mut Dice, booking: &str, request: &str) -> bool {
    let crash = |world: &mut World, dice: &mut Dice| {
        if dice.below(4) == 0 {
            world.crash_a_service(dice);
        }
    };
    let mut replies = Vec::new();
    for (service, call) in [("tickets", "ReserveTicket"), ("hotels", "ReserveRoom"), ("payments", "Charge")] {
        if replies.iter().any(|reply: &String| reply.starts_with("failed")) {
            break;
        }
        for _ in 0..=dice.below(2) {
            crash(world, dice);
            let asking = Asking { booking, server: world.service(service), step: service };
            let said = asking.ask("do", call, request).await;
            assert_eq!(said, asking.ask("query", call, "{}").await, "a query says the same");
            replies.push(said);
        }
    }
    if let [.., last] = replies.as_slice()
        && last.starts_with("succeeded")
    {
        for (service, call) in [("tickets", "ConfirmTicket"), ("hotels", "ConfirmRoom")] {
            crash(world, dice);
            let request = format!(r#"{{"hold":"{booking}/1/{service}/1"}}"#);
            let asking = Asking { booking, server: world.service(service), step: "confirm" };
            assert_eq!("succeeded {}", asking.ask("do", call, &request).await);
        }
        return true;
    }
    for (service, undo, call) in [("tickets", "CancelTicket", "ReserveTicket"), ("hotels", "CancelRoom", "ReserveRoom")]
    {
        crash(world, dice);
        // Also of what was never asked for, or refused.
        let asking = Asking { booking, server: world.service(service), step: service };
        assert_eq!("succeeded {}", asking.ask("undo", undo, "{}").await);
        assert_eq!("failed already-undone", asking.ask("do", call, request).await);
    }
    false
}

#[tokio::test]
async fn services_keep_their_books_whoever_is_killed() {
    let mut dice = dice("services");
    let mut world = World::new(12);
    let mut booked = 0;
    for number in 0..12 {
        let request = super::world::input(number);
        if book(&mut world, &mut dice, &format!("order-{number}"), &request).await {
            booked += 1;
        }
    }
    assert!((1..12).contains(&booked), "{booked} of 12: neither all nor none");
    world.audit(booked);
}
