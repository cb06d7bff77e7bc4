/** The guard: every sequence of deliveries up to a length, against rules that are written down a second time here. */

import assert from "node:assert/strict";
import { test } from "node:test";
import Database from "better-sqlite3";
import { type Message, Participant, Refusal, type Store, Unreadable, serve, sqlite, writeMessage } from "../src/index.js";
import type { KafkaRecord } from "../src/kafka.js";
import { attribute, readKept } from "../src/message.js";

const NOW = 1_700_000_000_000;
const DAY = 86_400_000;
const WORKED = 'succeeded {"seat":"1A"}';

/** As long as makes a test of seconds: a cycle of the states is shorter. */
const LENGTH = 4;

const DELIVERIES = ["do", "late-do", "undo", "query", "do-crashing", "undo-crashing"] as const;
type Delivery = (typeof DELIVERIES)[number];

type Business = "succeeds" | "refuses" | "faults first" | "throws first";

function command(instance: string, kind: string, call: string, data = "{}", more: Record<string, string> = {}): Message {
  const id = `${instance}/1/reserve/1`;
  const attributes = {
    [attribute.type]: "saga.command.v1",
    [attribute.id]: `${id}/${kind}/1`,
    [attribute.instance]: instance,
    [attribute.saga]: "booking",
    [attribute.step]: "reserve",
    [attribute.command]: id,
    [attribute.call]: call,
    [attribute.kind]: kind,
    [attribute.attempt]: "1",
    [attribute.replyTo]: "saga.replies",
    [attribute.replyPartition]: "3",
    [attribute.deadline]: String(NOW + 10_000),
    [attribute.keepUntil]: String(NOW + 3_610_000),
    ...more,
  };
  return { key: instance, attributes: new Map(Object.entries(attributes)), data };
}

/** A reply in short: its status, its code and, of what succeeded, its data. */
function shown(reply: Message): string {
  const status = reply.attributes.get(attribute.status) ?? "";
  return [status, status === "succeeded" ? reply.data : reply.attributes.get(attribute.code)].filter(Boolean).join(" ");
}

/** The replies of interrupted work that has ended, in short. */
async function resumed(participant: Participant<Database.Database>): Promise<string[]> {
  const told: string[] = [];
  await participant.resume(async (_, reply) => void told.push(shown(reply)));
  return told;
}

class World {
  readonly database = new Database(":memory:");
  now = NOW;
  crashes = false;
  calls = 0;

  constructor() {
    this.database.exec("CREATE TABLE seats (taken_by TEXT NOT NULL); CREATE INDEX by_taker ON seats (taken_by)");
  }

  /** A store that can lose its commit, as in a crash right before it. */
  store(): Store<Database.Database> {
    const store = sqlite(this.database);
    return {
      ...store,
      transaction: (work) =>
        store.transaction(async (open) => {
          const done = await work(open);
          if (this.crashes) throw new Error("the test lets it crash");
          return done;
        }),
    };
  }

  participant(name: string): Participant<Database.Database> {
    return new Participant(name, this.store(), () => this.now);
  }

  async tickets(business: Business): Promise<Participant<Database.Database>> {
    const participant = this.participant("tickets")
      .command("Reserve", Object, (db, _, { id }) => {
        // Written first, so that a refusal has something to leave behind.
        db.prepare("INSERT INTO seats VALUES (?)").run(id);
        const call = this.calls++;
        if (business === "refuses") throw Refusal.failed("full", "no seat is left");
        if (business === "faults first" && call === 0) throw Refusal.retry("busy");
        if (business === "throws first" && call === 0) throw new Error("a defect of the handler");
        return { seat: "1A" };
      })
      .undo("Cancel", (json) => json, (db, done, { id }) => {
        assert.deepEqual(done, { seat: "1A" }, "an undo is given what it takes back");
        assert.equal(db.prepare("DELETE FROM seats WHERE taken_by = ?").run(id).changes, 1);
      });
    await participant.prepare();
    return participant;
  }

  number(sql: string, ...parameters: string[]): unknown {
    return this.database.prepare(sql).pluck().get(...parameters);
  }

  seats(instance: string): unknown {
    return this.number("SELECT count(*) FROM seats WHERE taken_by = ?", `${instance}/1/reserve/1`);
  }
}

/** What it says on the way is what these tests provoke. */
test.beforeEach((context) => {
  if ("mock" in context) for (const level of ["error", "warn"] as const) context.mock.method(console, level, () => undefined);
});

for (const business of ["succeeds", "refuses", "faults first", "throws first"] as const) {
  test(`every sequence of deliveries does work that ${business} at most once`, async () => {
    const world = new World();
    const participant = await world.tickets(business);
    for (let number = 0; number < DELIVERIES.length ** LENGTH; number++) {
      const sequence = Array.from(
        { length: LENGTH },
        (_, place) => DELIVERIES[Math.floor(number / DELIVERIES.length ** place) % DELIVERIES.length] as Delivery,
      );
      await play(world, participant, business, sequence, `s${number}`);
    }
  });
}

/** The story is what a person would expect of one command. */
async function play(
  world: World,
  participant: Participant<Database.Database>,
  business: Business,
  sequence: Delivery[],
  name: string,
): Promise<void> {
  let story: "nothing happened" | "worked" | "was refused" | "taken back" = "nothing happened";
  world.calls = 0;
  for (const [at, delivery] of sequence.entries()) {
    const first = world.calls === 0;
    world.crashes = delivery.endsWith("crashing");
    world.now = delivery === "late-do" || delivery.startsWith("undo") ? NOW + 10_001 : NOW;
    const kind = delivery.startsWith("undo") ? "undo" : delivery === "query" ? "query" : "do";
    const reply = shown(await participant.handle(command(name, kind, kind === "undo" ? "Cancel" : "Reserve")));
    const where = `${business} ${sequence.join(", ")} at ${at}`;
    if (!world.crashes) {
      let wanted: string;
      if (kind === "undo") {
        story = "taken back";
        wanted = "succeeded {}";
      } else if (story === "nothing happened" && delivery === "late-do") {
        wanted = "retry expired";
      } else if (story === "nothing happened" && delivery === "query") {
        wanted = "unknown-command";
      } else if (story === "nothing happened" && business === "faults first" && first) {
        wanted = "retry busy";
      } else if (story === "nothing happened" && business === "throws first" && first) {
        wanted = "retry fault";
      } else {
        if (story === "nothing happened") story = business === "refuses" ? "was refused" : "worked";
        wanted = { worked: WORKED, "was refused": "failed full", "taken back": "failed already-undone" }[story];
      }
      assert.equal(reply, wanted, where);
    }
    assert.equal(world.seats(name), story === "worked" ? 1 : 0, `seats taken: ${where}`);
  }
}

test("a row is kept until the latest deadline of all attempts", async () => {
  const world = new World();
  const participant = await world.tickets("succeeds");
  for (const [told, wanted] of [[500, 500], [900, 900], [700, 900]] as const) {
    await participant.handle(command("a", "do", "Reserve", "{}", { [attribute.keepUntil]: String(told) }));
    assert.equal(world.number("SELECT keep_until FROM saga_guard"), wanted);
  }
});

test("what can still be asked for is not purged", async () => {
  const world = new World();
  const participant = await world.tickets("succeeds");
  await participant.handle(command("done", "do", "Reserve"));
  await participant.handle(command("undone", "undo", "Cancel"));
  assert.equal(await participant.purge(), 0, "nothing is past its time");
  world.now += DAY;
  assert.equal(await participant.purge(), 1, "the undone one is");
  world.now += 29 * DAY;
  assert.equal(shown(await participant.handle(command("done", "undo", "Cancel"))), "succeeded {}");
  world.now += 500 * DAY;
  assert.equal(await participant.purge(), 1, "at some time all goes");
});

test("a refused undo leaves the work done", async () => {
  const world = new World();
  const participant = world
    .participant("tickets")
    .command("Reserve", Object, () => ({ seat: "1A" }))
    .undo("Cancel", Object, (db, _, { id }) => {
      db.prepare("INSERT INTO seats VALUES (?)").run(id);
      throw Refusal.failed("departed");
    });
  await participant.prepare();
  await participant.handle(command("a", "do", "Reserve"));
  assert.equal(shown(await participant.handle(command("a", "undo", "Cancel"))), "failed departed");
  assert.equal(world.seats("a"), 0);
  assert.equal(shown(await participant.handle(command("a", "do", "Reserve"))), WORKED);
});

test("a compensation of its own is work like any", async () => {
  const participant = new World().participant("mail").undo("Apologize", Object, (_, done) => assert.equal(done, undefined));
  await participant.prepare();
  const own = command("a", "do", "Apologize", "{}", { [attribute.command]: "a/1/reserve~/1" });
  assert.equal(shown(await participant.handle(own)), "succeeded {}");
  assert.equal(shown(await participant.handle(own)), "succeeded {}");
});

test("what is no command is said", async () => {
  const world = new World();
  const participant = await world.tickets("succeeds");
  for (const [name, value, why] of [
    [attribute.type, "", "the attribute type is missing"],
    [attribute.type, "saga.reply.v1", "the attribute type is `saga.reply.v1`, not saga.command.v1"],
    [attribute.command, "x".repeat(501), "the attribute command has over 500 bytes"],
    [attribute.call, "", "the attribute call is missing"],
    [attribute.kind, "redo", "the attribute kind is `redo`, not do, undo, query or message"],
    [attribute.attempt, "0", "the attribute attempt is `0`, not 1, 2, 3 …"],
    [attribute.deadline, "soon", "the attribute deadline is `soon`, not milliseconds since 1970"],
  ] as const) {
    const wrong = command("a", "do", "Reserve", "{}", { [name]: value });
    await assert.rejects(participant.handle(wrong), { name: "Unreadable", message: why });
  }
  for (const payload of ["1 2", "{", "[".repeat(100_000), `"${"x".repeat(1 << 20)}"`]) {
    await assert.rejects(participant.handle(command("a", "do", "Reserve", payload)), Unreadable);
  }
  assert.equal(shown(await participant.handle(command("a", "do", "Refund"))), "retry unknown-call");
  assert.equal(world.number("SELECT count(*) FROM saga_guard"), 0, "nothing of this leaves a row");
});

test("a request that does not fit is refused, and so it stays", async () => {
  const participant = new World().participant("hotels").command(
    "ReserveRoom",
    (json) => {
      const { nights } = json as { nights: unknown };
      if (typeof nights !== "number") throw new Error("nights is no number");
      return nights;
    },
    (_, nights) => nights,
  );
  await participant.prepare();
  for (const [payload, wanted] of [['{"nights":2}', "succeeded 2"], ['{"nights":"2"}', "failed unfit-request"], ["null", "failed unfit-request"]] as const) {
    for (const _ of [1, 2]) assert.equal(shown(await participant.handle(command(payload, "do", "ReserveRoom", payload))), wanted);
  }
});

test("commands at once take turns, and the work is done once", async () => {
  const world = new World();
  const participant = await world.tickets("succeeds");
  const replies = await Promise.all([1, 2, 3, 4].map(() => participant.handle(command("a", "do", "Reserve"))));
  assert.deepEqual(replies.map(shown), [WORKED, WORKED, WORKED, WORKED]);
  assert.equal(world.calls, 1);
});

test("interrupted work outside is pending, and is taken up with its own key", async () => {
  const world = new World();
  const asked: string[] = [];
  const says: Array<() => unknown> = [];
  const payments = () =>
    world
      .participant("payments")
      .outside("Charge", Object, (_, { id, message }) => {
        asked.push(`${id} ${message.data}`);
        return says.shift()?.();
      })
      .undo("Refund", String, (_, done) => assert.equal(done, "r-1"));
  const participant = payments();
  await participant.prepare();
  const answer = async (kind: string, call: string) => shown(await participant.handle(command("a", kind, call, '{"sum":840.00}')));
  says.push(() => {
    throw Refusal.retry("busy");
  });
  assert.equal(await answer("do", "Charge"), "pending");
  assert.equal(await answer("do", "Charge"), "pending");
  assert.equal(await answer("query", "Charge"), "pending");
  assert.equal(await answer("undo", "Refund"), "retry still-doing");
  says.push(() => {
    throw new Error("a fault");
  });
  assert.deepEqual(await resumed(participant), []);
  says.push(() => "r-1");
  assert.deepEqual(await resumed(payments()), ['succeeded "r-1"']);
  assert.deepEqual(new Set(asked), new Set(['a/1/reserve/1 {"sum":840.00}']));
  assert.equal(asked.length, 3);
  assert.equal(await answer("undo", "Refund"), "succeeded {}");
  assert.equal(await answer("do", "Charge"), "failed already-undone");
});

test("what another process ended and took back stays taken back", async () => {
  const world = new World();
  const other = world.participant("payments").outside("Charge", Object, () => "r-1").undo("Refund", String, () => undefined);
  const participant = world.participant("payments").outside("Charge", Object, async () => {
    await resumed(other);
    assert.equal(shown(await other.handle(command("a", "undo", "Refund"))), "succeeded {}");
    return "r-1";
  });
  await participant.prepare();
  assert.equal(shown(await participant.handle(command("a", "do", "Charge"))), "failed already-undone");
});

/** Work outside that was interrupted, of instances; `work` is asked. */
async function interrupted(world: World, instances: string[], work: (id: string) => unknown) {
  const participant = world.participant("payments").outside("Charge", Object, (_, { id }) => work(id));
  await participant.prepare();
  const begun = world.database.prepare("INSERT INTO saga_guard VALUES (?, 'doing', ?, 9)");
  for (const name of instances) begun.run(`${name}/1/reserve/1`, writeMessage(command(name, "do", "Charge")));
  const states = () => world.database.prepare("SELECT state FROM saga_guard ORDER BY command").pluck().all();
  return { participant, states };
}

test("a row is `doing` until its reply is told, and stops no other", async () => {
  const { participant, states } = await interrupted(new World(), ["a", "b"], (id) => id);
  const offered: unknown[] = [];
  const tell = async (_: Message, reply: Message) => {
    offered.push([shown(reply), ...states()]);
    if (offered.length === 1) throw new Error("the broker is away");
  };
  await participant.resume(tell);
  const [a, b] = ['succeeded "a/1/reserve/1"', 'succeeded "b/1/reserve/1"'];
  assert.deepEqual(offered, [[a, "doing", "doing"], [b, "doing", "doing"]]);
  assert.deepEqual(states(), ["doing", "done"]);
  await participant.resume(tell);
  assert.deepEqual(offered.slice(2), [[a, "doing", "done"]]);
  assert.deepEqual(states(), ["done", "done"]);
});

test("what another process ended meanwhile is told as its row says", async () => {
  const world = new World();
  const { participant, states } = await interrupted(world, ["a"], () => {
    world.database.exec("UPDATE saga_guard SET state = 'failed', reply = '{\"code\":\"declined\"}'");
    return "r-1";
  });
  assert.deepEqual(await resumed(participant), ["failed declined"]);
  assert.deepEqual(states(), ["failed"]);
});

/** What `serve` does with each record, and what it sent by then; `refuse` throws where the broker would. */
async function served(participant: Participant<Database.Database>, topics: string[], refuse = (_topic: string): void => undefined) {
  type Run = Parameters<Parameters<typeof serve>[2]["consumer"]["run"]>[0];
  type Crash = Parameters<Parameters<NonNullable<Parameters<typeof serve>[2]["consumer"]["on"]>>[1]>[0];
  let eachMessage: Run["eachMessage"] | undefined;
  let crashed: ((crash: Crash) => void) | undefined;
  let isClosed = false;
  const [nothing, sent] = [async () => undefined, [] as unknown[]];
  const disconnect = async () => {
    isClosed = true;
  };
  const service = await serve(participant, "commands", {
    consumer: {
      connect: nothing,
      subscribe: nothing,
      run: async (how) => {
        eachMessage = how.eachMessage;
      },
      disconnect: nothing,
      on: (_, listener) => (crashed = listener),
    },
    producer: {
      connect: nothing,
      disconnect,
      send: async (what) => {
        refuse(what.topic);
        sent.push(isClosed ? "too late" : what);
      },
    },
    admin: {
      connect: nothing,
      disconnect,
      listTopics: async () => {
        if (isClosed) sent.push("too late");
        return topics;
      },
      fetchTopicMetadata: async () => ({ topics: [{ partitions: [0, 1, 2, 3] }] }),
    },
  });
  const take = async (message: KafkaRecord, heartbeat?: () => Promise<void>) =>
    eachMessage?.({ topic: "commands", partition: 0, message, ...(heartbeat && { heartbeat }) });
  const crash = (error: Error, restart: boolean) => crashed?.({ payload: { error, restart } });
  return { take, sent, crash, close: () => service.close(), ended: service.ended };
}

/** Lets all that can go on do so. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
}

for (const [what, topics, code, state] of [
  ["whose topic has gone is given up", [], undefined, "done"],
  ["that is too large is given up", ["saga.replies"], 10, "done"],
  ["that is not acknowledged in time is told again", ["saga.replies"], 7, "doing"],
] as const) {
  test(`a late reply ${what}`, async () => {
    const { participant, states } = await interrupted(new World(), ["a"], () => "r-1");
    const { close } = await served(participant, [...topics], () => {
      // As kafkajs wraps it.
      throw new Error("no", { cause: Object.assign(new Error("no"), { code }) });
    });
    await settled();
    assert.deepEqual(states(), [state]);
    await close();
  });
}

test("the end lets a late reply be told, and begins no other", async () => {
  let answer = (_: string): void => undefined;
  const asked: string[] = [];
  const { participant, states } = await interrupted(new World(), ["a", "b"], (id) => {
    asked.push(id);
    return new Promise<string>((resolve) => (answer = resolve));
  });
  const { sent, close, ended } = await served(participant, ["saga.replies"]);
  await settled();
  const closing = close();
  await settled();
  answer("r-1");
  await Promise.all([closing, ended]);
  assert.deepEqual(states(), ["done", "doing"]);
  assert.deepEqual([sent.length, sent.includes("too late"), asked], [1, false, ["a/1/reserve/1"]]);
});

test("the end does not wait for a world that does not answer", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let answer = (_: string): void => undefined;
  const { participant, states } = await interrupted(
    new World(),
    ["a"],
    () => new Promise<string>((resolve) => (answer = resolve)),
  );
  const { sent, close } = await served(participant, ["saga.replies"]);
  await settled();
  const closing = close();
  await settled();
  context.mock.timers.tick(5_000);
  await closing;
  answer("r-1");
  await settled();
  assert.deepEqual([states(), sent], [["doing"], []]);
});

test("a consumer that ends for good is noticed", async () => {
  const { crash, ended, close } = await served(await new World().tickets("succeeds"), []);
  crash(new Error("it joins again"), true);
  crash(new Error("snappy"), false);
  await assert.rejects(ended, { message: "snappy" });
  await close();
});

test("the group is told of its member while a handler works", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  let beats = 0;
  let answer = (): void => undefined;
  const participant = new World().participant("payments").outside("Charge", Object, () => new Promise<void>((resolve) => (answer = resolve)));
  const { take, close } = await served(participant, ["saga.replies"]);
  const beat = async () => {
    beats++;
    throw new Error("the group is rebalancing");
  };
  const taking = take({ key: "a", value: writeMessage(command("a", "do", "Charge", "{}", { [attribute.deadline]: "9999999999999" })), offset: "0" }, beat);
  await settled();
  context.mock.timers.tick(9_000);
  answer();
  await taking;
  context.mock.timers.tick(9_000);
  assert.equal(beats, 3);
  await close();
});

test("a command is answered where it says, behind what nobody can read", async () => {
  const world = new World();
  const { take, sent, close } = await served(await world.tickets("succeeds"), ["saga.replies"]);
  const good = Buffer.from(writeMessage(command("a", "do", "Reserve")));
  const broken = Buffer.from(good);
  broken[broken.indexOf("reserve")] = 0xff;
  for (const value of [null, Buffer.of(0xff, 0), "{}", good.subarray(1), broken, good]) {
    await take({ key: Buffer.from("a"), value, offset: "0" });
  }
  await close();
  const value = writeMessage(await (await world.tickets("succeeds")).handle(command("a", "do", "Reserve")));
  const headers = { "content-type": "application/cloudevents+json" };
  assert.deepEqual(sent, [{ topic: "saga.replies", acks: -1, messages: [{ key: "a", value, headers, partition: 3 }] }]);
});

test("a reply that cannot be written stops nothing, and is said with the place of its command", async (context) => {
  const said = context.mock.method(console, "error", () => undefined);
  const { take, close } = await served(await new World().tickets("succeeds"), ["saga.replies"], () => {
    throw new Error("no", { cause: Object.assign(new Error("no"), { code: 29 }) });
  });
  try {
    await take({ key: "a", value: writeMessage(command("a", "do", "Reserve")), offset: "7" });
  } finally {
    await close();
  }
  const line = said.mock.calls.map((call) => call.arguments.join(" ")).join();
  assert.ok(line.startsWith("the reply to a/1/reserve/1 (commands, partition 0, offset 7) cannot be written to `saga.replies`"), line);
});

test("a message is taken once, though late and at the second try, and is answered by nobody", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const world = new World();
  const { take, sent, close } = await served(await world.tickets("faults first"), []);
  const { key, attributes, data } = command("a", "message", "Reserve");
  const absent: readonly string[] = [attribute.replyTo, attribute.replyPartition, attribute.deadline];
  const told = [...attributes].filter(([name]) => !absent.includes(name));
  for (const call of ["Reserve", "Reserve", "Unheard"]) {
    const value = writeMessage({ key, attributes: new Map([...told, [attribute.call, call]]), data });
    const message = { key, value, offset: "0" };
    let taken = false;
    const taking = take(message).then(() => (taken = true));
    while (!taken) {
      await new Promise((resolve) => setImmediate(resolve));
      context.mock.timers.tick(1_000);
    }
    await taking;
  }
  await close();
  assert.equal(world.seats("a"), 1);
  assert.deepEqual(sent, []);
});

test("the row keeps the reply, and a repeat names its own attempt", async () => {
  const world = new World();
  const participant = await world.tickets("succeeds");
  const answer = async (attempt: string) => {
    const more = { [attribute.attempt]: attempt, [attribute.traceparent]: "00-1" };
    return writeMessage(await participant.handle(command("a", "do", "Reserve", "{}", more)));
  };
  const first = await answer("1");
  assert.equal(
    first,
    '{"specversion":"1.0","type":"saga.reply.v1","id":"a/1/reserve/1/do/1/succeeded","source":"/participants/tickets",' +
      '"traceparent":"00-1","command":"a/1/reserve/1","kind":"do","attempt":"1","status":"succeeded","data":{"seat":"1A"}}',
  );
  assert.equal(world.number("SELECT reply FROM saga_guard"), '{"seat":"1A"}');
  assert.equal(await answer("2"), first.replace("do/1", "do/2").replace('"attempt":"1"', '"attempt":"2"'));
});

// As every library writes it, so that one table serves a participant that is rewritten in another language.
for (const [state, kept, answer] of [
  ["done", '{"seat":"2B"}', '"status":"succeeded","data":{"seat":"2B"}}'],
  ["failed", '{"code":"full"}', '"status":"failed","code":"full"}'],
  ["failed", '{"code":"full","message":"no seat"}', '"status":"failed","code":"full","data":{"message":"no seat"}}'],
  ["undone", "{}", '"status":"failed","code":"already-undone"}'],
] as const) {
  test(`a row of another library is answered: ${state} ${kept}`, async () => {
    const world = new World();
    const participant = await world.tickets("succeeds");
    world.database.prepare("INSERT INTO saga_guard VALUES (?, ?, ?, 9)").run("a/1/reserve/1", state, kept);
    const written = writeMessage(await participant.handle(command("a", "do", "Reserve", "{}")));
    assert.ok(written.endsWith(answer), written);
  });
}

test("a refusal is kept with its code", async () => {
  const world = new World();
  const participant = await world.tickets("refuses");
  await participant.handle(command("a", "do", "Reserve", "{}"));
  assert.equal(JSON.parse(String(world.number("SELECT reply FROM saga_guard"))).code, "full");
});

test("a row that does not hold its command stops no other", async () => {
  const world = new World();
  const participant = world.participant("payments").outside("Charge", Object, () => "r-1");
  await participant.prepare();
  const begun = world.database.prepare("INSERT INTO saga_guard VALUES (?, 'doing', ?, 9)");
  const charge = command("c", "do", "Charge");
  for (const [id, line] of [["a", null], ["b", "{}"], ["c/1/reserve/1", writeMessage(charge)]]) begun.run(id, line);
  assert.deepEqual(await resumed(participant), ['succeeded "r-1"']);
});

test("a command is kept by the letter", () => {
  const long = [`"${"\\n".repeat(500_000)}"`, `[0${",1".repeat(500_000)}]`];
  for (const data of ["{}", "840.00", '"é\\n"', "[ 1.0 ]", '{"a":[{"b":"}\\\\\\""}],"data":","}', ...long]) {
    const message = command("a", "do", "Charge", data);
    assert.deepEqual(readKept(writeMessage(message)), message);
  }
});
