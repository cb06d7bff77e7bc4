//! How large a source may be. Each limit is there so that no input, however made, costs much memory, time or stack;
//! each is far above what people write. The table in `grammar/reference.md` repeats them, and a test compares the two.

/// Bytes of a file, and of a program: 4 MiB. About 25,000 steps; offsets fit in 32 bits.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Files of one program: the one that was named, and those that it uses. Together they keep the limits of a file.
pub const MAX_FILES: usize = 100;

/// Bytes of a string literal: 64 KiB. A payload that large belongs into a store, its name into the saga.
pub const MAX_STRING_BYTES: usize = 64 * 1024;

/// Statements of a file, and of a program. A plan of that size is still checked in a second.
pub const MAX_STATEMENTS: usize = 10_000;

/// Levels of blocks, types and expressions inside each other. Everything behind the scan may recurse.
pub const MAX_NESTING: usize = 64;

/// Findings of one file; behind so many, people mend and look again.
pub const MAX_FINDINGS: usize = 200;

/// Places that one finding marks ("`;` here, here and here").
pub const MAX_PLACES: usize = 8;

/// Levels of lists and maps of a YAML document. `serde_yaml` reads no more; a block of the language takes two.
pub const MAX_YAML_DEPTH: usize = 128;

/// Values that the aliases of a YAML document stand for, all together. Aliases of aliases multiply, and a text of a
/// hundred bytes could stand for more than fits into memory; who repeats a step by hand stays far below.
pub const MAX_ALIASED_NODES: usize = 100_000;
