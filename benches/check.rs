//! `saga check` in memory: parse, lower, check; 100 to 10,000 steps. The goals are 5 ms for 1,000 steps, 60 ms for 10,000,
//! and that the time grows with the text and no faster. The baseline of the same run reads the same bytes once as text lines.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use saga::check;
use saga::source::{FileId, SourceFile};
use saga::syntax::Form;

/// What the binary runs with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 9;

fn main() {
    println!(
        "| steps | bytes | check, ms | µs a step | of which parse, ms | x reading the text as lines | the same as YAML, parse, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    for steps in [100, 1_000, 10_000] {
        let text = source(steps);
        let read = best(|| {
            black_box(text.lines().map(|line| line.split_whitespace().count()).sum::<usize>());
        });
        let parse = best(|| {
            let file = SourceFile::new("bench.saga", text.as_str());
            black_box(saga::syntax::parse(FileId(0), &file));
        });
        let (tree, _) = saga::syntax::parse(FileId(0), &SourceFile::new("bench.saga", text.as_str()));
        let twin = SourceFile::new("bench.yaml", saga::syntax::convert(&tree, Form::Yaml));
        let yaml = best(|| {
            let (_, problems) = black_box(saga::syntax::parse(FileId(0), &twin));
            assert!(problems.is_empty());
        });
        let took = best(|| {
            let checked = check::check_text("bench.saga", &text);
            assert!(checked.findings.is_empty(), "{:?}", checked.findings.first());
        });
        println!(
            "| {steps} | {} | {:.2} | {:.2} | {:.2} | {:.0} | {:.2} |",
            text.len(),
            took.as_secs_f64() * 1e3,
            took.as_secs_f64() * 1e6 / f64::from(steps),
            parse.as_secs_f64() * 1e3,
            took.as_secs_f64() / read.as_secs_f64(),
            yaml.as_secs_f64() * 1e3,
        );
    }
}

/// A saga of so many steps, each with a payload, a reply that the next one uses, a retry and a compensation.
fn source(steps: u32) -> String {
    let mut text = String::from(
        "participant stock {\n  command Reserve { sku: string, count: int } returns { hold: string } fails \"gone\"\n  command Release { hold: string? }\n}\n\nsaga bench {\n  version 1\n  input { sku: string, count: int }\n\n  step s0 {\n    call stock.Reserve { sku: input.sku, count: input.count }\n    compensate stock.Release { hold: s0.hold }\n  }\n",
    );
    for step in 1..steps {
        let before = step - 1;
        let _ = writeln!(
            text,
            "  step s{step} {{\n    call stock.Reserve {{ sku: s{before}.hold, count: input.count + {step} }}\n    timeout 5s\n    retry 3 times every 1s..5s\n    compensate stock.Release {{ hold: s{step}.hold }}\n  }}"
        );
    }
    text.push_str("}\n");
    text
}

fn best(mut run: impl FnMut()) -> Duration {
    let round = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..ROUNDS).map(round).min().unwrap_or_default()
}
