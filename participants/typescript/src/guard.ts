/** The guard: which of a command's deliveries does the work, and what the others are answered. */

import type { Command } from "./message.js";

/** What the guard knows of a command, as in the column `state`. */
export type State = "doing" | "done" | "failed" | "undone";

/** What is asked of the guard; a late do is one that nobody waits for any more. */
export type Ask = "do" | "late-do" | "undo" | "query";

/** What is to be done, and answered. */
export type Verdict =
  | "work" // then `done` or `failed`
  | "compensate" // then `undone`, answer `succeeded`
  | "forbid" // nothing to take back: `undone`, so that a do on its way comes too late; answer `succeeded`
  | "same-reply" // also `succeeded` to the undo of what is undone
  | "pending"
  | "undo-later" // answer `retry`, `still-doing`
  | "already-undone" // answer `failed`, `already-undone`
  | "expired" // answer `retry`, `expired`, and leave no row
  | "unknown-command"; // and leave no row

export function askOf(command: Command, now: number): Ask {
  // Of a message nobody waits for the answer, so it is never late.
  if (command.kind === "message") return "do";
  return command.kind === "do" && command.deadline < now ? "late-do" : command.kind;
}

/** Whether a row is claimed for a command that has none. */
export function claims(ask: Ask): boolean {
  return ask === "do" || ask === "undo";
}

const REPEATED = { doing: "pending", done: "same-reply", failed: "same-reply", undone: "already-undone" } as const;

/** The table of docs/participants.md. */
const TABLE: Readonly<Record<Ask, Readonly<Record<State | "no row", Verdict>>>> = {
  do: { "no row": "work", ...REPEATED },
  "late-do": { "no row": "expired", ...REPEATED },
  undo: { "no row": "forbid", doing: "undo-later", done: "compensate", failed: "forbid", undone: "same-reply" },
  query: { "no row": "unknown-command", ...REPEATED },
};

export function verdict(ask: Ask, known: State | undefined): Verdict {
  return TABLE[ask][known ?? "no row"];
}
