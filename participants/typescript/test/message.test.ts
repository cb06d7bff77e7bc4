/** Messages as anybody may write them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Command, Unreadable, readCommand, readMessage } from "../src/index.js";

const GOOD =
  '{"type":"saga.command.v1","command":"a/1/room/1","call":"ReserveRoom","kind":"do","attempt":2,"deadline":1700000010000,"keepuntil":"1700003610000"';
const MIB = 1 << 20;

/** A command with more members. */
function read(more = ""): Command {
  return readCommand(readMessage("a", `${GOOD}${more}}`));
}

function isUnreadable(event: string): void {
  assert.throws(() => readCommand(readMessage("a", event)), Unreadable, event.slice(0, 400));
}

test("members come in any order, with strangers and numbers", () => {
  const strangers = ',\n"tomorrow" : [1,{"type":1},"],"],"tomorrow":2';
  const command = read(`${strangers},\t"traceparent" :null,"data" : 840.00 , "instance": "\\u0061:"`);
  assert.deepEqual([command.attempt, command.deadline, command.message.data], [2, 1_700_000_010_000, "840.00"]);
  const names = ["type", "command", "call", "kind", "attempt", "deadline", "keepuntil", "instance"];
  assert.deepEqual([...command.message.attributes.keys()], names);
  assert.equal(command.message.attributes.get("instance"), "a:");
  assert.deepEqual(read().request, {});
  assert.deepEqual(read(',"data": null ').request, {}, "as if it were absent");
});

test("what stands twice is unreadable", () => {
  const once = ',"data":{},"traceparent":null';
  read(once);
  for (const name of ["type", "command", "data", "traceparent", "c\\u006fmmand"]) {
    for (const value of ["null", '"x"']) {
      assert.throws(() => read(`${once},"${name}":${value}`), /stands twice/);
    }
  }
});

test("an attribute is text or a whole number", () => {
  for (const value of ["true", "1.0", "2e3", "[]", "{}", '"\\ud800"']) {
    isUnreadable(`${GOOD},"step":${value}}`);
    read(`,"tomorrow":${value}`);
  }
  read(',"step":"\\ud83c\\udf89"');
});

test("what is no object is no message", () => {
  for (const value of ["", "7", "[]", "{}", "null", "{", '"', "\0", "{1:2}", '{"a" 1}', '{"a":1,}', "NaN", "[".repeat(200_000)]) {
    isUnreadable(value);
    isUnreadable(`${GOOD}${value}`);
    isUnreadable(`${GOOD}}${value}}`);
  }
  read(`,"tomorrow":${"[".repeat(200_000)}${"]".repeat(200_000)}`);
});

test("data has a limit, and so has what is around it", () => {
  const largest = `{"a":1${" ".repeat(MIB - 7)}}`;
  assert.equal(read(`,"data":${largest}`).message.data, largest);
  isUnreadable(`${GOOD},"data":{ ${largest.slice(1)}}`);
  isUnreadable(`${GOOD},"data":"${"é".repeat(MIB / 2)}"}`);
  isUnreadable(`${GOOD},"tomorrow":"${"x".repeat(MIB + (64 << 10))}"}`);
});
