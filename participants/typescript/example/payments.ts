/** Money in accounts. What is charged is booked from the account in the guard's transaction, in cents. */

import { parseArgs } from "node:util";
import Database from "better-sqlite3";
import { Kafka, logLevel } from "kafkajs";
import { Participant, Refusal, serve, sqlite } from "../src/index.js";

interface Charge {
  readonly traveller: string;
  readonly amount: string;
}

function charge(json: unknown): Charge {
  const { traveller, amount } = json as Partial<Charge>;
  if (typeof traveller !== "string" || typeof amount !== "string" || !/^-?\d+(\.\d+)?$/.test(amount)) {
    throw new Error("a charge needs its traveller and its amount");
  }
  return { traveller, amount };
}

/** Nobody pays less than nothing, or half a cent. Never through a float. */
function cents(amount: string): bigint {
  const [, whole, part = ""] = /^(\d{1,15})(?:\.(\d*?)0*)?$/.exec(amount) ?? [];
  if (whole === undefined || part.length > 2) throw Refusal.failed("declined", `${amount} is no amount in whole cents`);
  return BigInt(whole) * 100n + BigInt(part.padEnd(2, "0"));
}

const { values } = parseArgs({
  options: {
    kafka: { type: "string" },
    store: { type: "string" },
    topic: { type: "string", default: "payment.commands" },
    group: { type: "string", default: "payments" },
    account: { type: "string", multiple: true, default: [] },
  },
});
if (values.kafka === undefined || values.store === undefined) {
  console.error("usage: payments.js --kafka HOST:PORT --store FILE [--topic NAME] [--group NAME] [--account NAME=AMOUNT]…");
  process.exit(2);
}

const database = new Database(values.store, { timeout: 5_000 });
database.pragma("synchronous = FULL");
database.exec(`
  CREATE TABLE IF NOT EXISTS accounts (
    name TEXT PRIMARY KEY, paid_in BIGINT NOT NULL, cents BIGINT NOT NULL CHECK (cents >= 0));
  CREATE TABLE IF NOT EXISTS charges (
    receipt TEXT PRIMARY KEY, account TEXT NOT NULL, cents BIGINT NOT NULL, booking TEXT NOT NULL);`);
for (const account of values.account) {
  const [name = "", amount = ""] = account.split("=");
  database.prepare("INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)").run(name, cents(amount), cents(amount));
}

const payments = new Participant("payments", sqlite(database))
  .command("Charge", charge, (db, { traveller, amount }, command) => {
    const sum = cents(amount);
    const booked = db
      .prepare("UPDATE accounts SET cents = cents - ? WHERE name = ? AND cents >= ?")
      .run(sum, traveller, sum);
    if (booked.changes === 0) throw Refusal.failed("declined");
    db.prepare("INSERT INTO charges VALUES (?, ?, ?, ?)").run(command.id, traveller, sum, command.message.key);
    return { receipt: command.id };
  })
  // For sagas that take a charge back; the booking does not, since its charge is the point of no return.
  .undo("Refund", (json) => json, (db, _, command) => {
    db.prepare("UPDATE accounts SET cents = accounts.cents + charges.cents FROM charges WHERE name = charges.account AND receipt = ?").run(command.id);
    db.prepare("DELETE FROM charges WHERE receipt = ?").run(command.id);
  });

const kafka = new Kafka({ brokers: [values.kafka], clientId: "payments", logLevel: logLevel.WARN });
const service = await serve(payments, values.topic, {
  consumer: kafka.consumer({ groupId: values.group, allowAutoTopicCreation: false }),
  producer: kafka.producer({ allowAutoTopicCreation: false }),
  admin: kafka.admin(),
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void service.close());
// If the consumer ends for good, so does the process, with an error.
await service.ended;
