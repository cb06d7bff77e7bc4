//! Three services, what is asked of them, and the audit; and the dice that decide who is killed when.

use std::path::Path;
use std::time::SystemTime;

use super::processes::{Server, booking};

/// Numbers that look random and follow from a seed (Vigna's splitmix).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// A place among so many.
    #[cfg(feature = "kafka")]
    pub(crate) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("it is below a size")
    }

    #[cfg(feature = "kafka")]
    pub(crate) fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).expect("it is below 256")
    }
}

pub(crate) fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seed of this round, told in case that it fails.
pub(super) fn dice(test: &str) -> Dice {
    let seed = setting("SAGA_CHAOS_SEED").unwrap_or_else(|| {
        SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() ^ u64::from(since.subsec_nanos()))
    });
    eprintln!("{test}: SAGA_CHAOS_SEED={seed}");
    Dice(seed)
}

/// The services end before their folder goes.
pub(super) struct World {
    tickets: Server,
    hotels: Server,
    payments: Server,
    folder: tempfile::TempDir,
}

impl World {
    /// Services with room for some of that many bookings.
    pub(super) fn new(bookings: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (seats, rooms) = (bookings * 3 / 4, bookings * 2 / 3);
        let service = |name: &'static str, option: &'static str, value: String| {
            let store = folder.path().join(name).with_extension("db");
            Server::start(name, move |port| {
                let mut command = booking();
                command.arg(name).arg("--store").arg(&store).args(["--port", &port.to_string(), option, &value]);
                command
            })
        };
        let tickets = service("tickets", "--flight", format!("KE905={seats}"));
        let hotels = service("hotels", "--hotel", format!("Lux={rooms}"));
        let payments = service("payments", "--account", format!("ana={bookings}000.00"));
        Self { tickets, hotels, payments, folder }
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        [("tickets", &self.tickets), ("hotels", &self.hotels), ("payments", &self.payments)]
            .into_iter()
            .flat_map(|(name, server)| ["--participant".to_owned(), format!("{name}={}", server.commands())])
            .collect()
    }

    /// Where everybody keeps what must not be lost.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A service by its name in the definition.
    pub(super) fn service(&self, name: &str) -> &Server {
        match name {
            "tickets" => &self.tickets,
            "hotels" => &self.hotels,
            "payments" => &self.payments,
            other => panic!("there is no service `{other}`"),
        }
    }

    pub(super) fn crash_a_service(&mut self, dice: &mut Dice) {
        match dice.below(3) {
            0 => self.tickets.crash(),
            1 => self.hotels.crash(),
            _ => self.payments.crash(),
        }
    }

    /// Compares the three stores with each other, and the number of bookings with what the sagas say.
    pub(super) fn audit(&self, completed: usize) {
        let mut audit = booking();
        audit.arg("audit");
        for name in ["tickets", "hotels", "payments"] {
            audit.arg(format!("--{name}")).arg(self.folder.path().join(name).with_extension("db"));
        }
        let output = audit.output().expect("the audit runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(Some(format!("{completed} bookings").as_str()), said.lines().next(), "{completed} sagas completed");
    }
}

/// Ana can pay, Ben has no account.
pub(super) fn input(number: u32) -> String {
    let traveller = if number % 5 == 4 { "ben" } else { "ana" };
    format!(r#"{{"traveller":"{traveller}","flight":"KE905","hotel":"Lux","nights":2,"amount":"840.00"}}"#)
}
