package saga.participant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static saga.participant.World.command;
import static saga.participant.World.shown;
import static saga.participant.World.with;

import java.math.BigDecimal;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The guard: every sequence of deliveries up to a length, against rules that are written down a second time here. */
final class GuardTest {
    private static final String WORKED = "succeeded {\"seat\":\"1A\"}";

    /** As long as makes a test of seconds: a cycle of the states is shorter. */
    private static final int LENGTH = 4;

    @TempDir
    private Path folder;

    private World world;
    private final AtomicInteger calls = new AtomicInteger();

    @BeforeEach
    void prepare() throws SQLException {
        world = new World(folder);
        world.execute("CREATE TABLE seats (taken_by TEXT NOT NULL)");
        world.execute("CREATE INDEX by_taker ON seats (taken_by)");
    }

    /** What can happen to a command. */
    enum Delivery {
        DO,
        LATE_DO,
        UNDO,
        QUERY,
        /** The participant dies before its commit: no reply. */
        DO_CRASHING,
        UNDO_CRASHING
    }

    /** How the work goes when it is called. */
    enum Business {
        SUCCEEDS,
        REFUSES,
        FAULTS_FIRST,
        THROWS_FIRST
    }

    /** The rules, told as a story: what a person would expect of one command. */
    enum Story {
        NOTHING_HAPPENED,
        WORKED,
        WAS_REFUSED,
        TAKEN_BACK
    }

    record Seat(String seat) {}

    record Request() {}

    private Participant tickets(Business business) throws SQLException {
        return world.participant("tickets")
                .command("Reserve", Request.class, (tx, request, command) -> {
                    // Written first, so that a refusal has something to leave behind.
                    World.write(tx, "INSERT INTO seats VALUES (?)", command.id());
                    int call = calls.getAndIncrement();
                    if (business == Business.REFUSES) {
                        throw Refusal.failed("full", "no seat is left");
                    } else if (business == Business.FAULTS_FIRST && call == 0) {
                        throw Refusal.retry("busy");
                    } else if (business == Business.THROWS_FIRST && call == 0) {
                        throw new IllegalStateException("a defect of the handler");
                    }
                    return new Seat("1A");
                })
                .undo("Cancel", Seat.class, (tx, done, command) -> {
                    assertEquals(new Seat("1A"), done, "an undo is given what it takes back");
                    assertEquals(1, World.write(tx, "DELETE FROM seats WHERE taken_by = ?", command.id()));
                })
                .build();
    }

    private long seatsTaken(Message command) throws SQLException {
        return world.number("SELECT count(*) FROM seats WHERE taken_by = ?", command.attribute(Attribute.COMMAND));
    }

    @ParameterizedTest
    @EnumSource
    void everySequenceOfDeliveriesDoesTheWorkAtMostOnce(Business business) throws Exception {
        Participant participant = tickets(business);
        int kinds = Delivery.values().length;
        for (int number = 0; number < Math.pow(kinds, LENGTH); number++) {
            Delivery[] sequence = new Delivery[LENGTH];
            for (int place = 0, rest = number; place < LENGTH; place++, rest /= kinds) {
                sequence[place] = Delivery.values()[rest % kinds];
            }
            play(participant, business, sequence, "s" + number);
        }
    }

    private void play(Participant participant, Business business, Delivery[] sequence, String name) throws Exception {
        Message reserve = command(name, "do", "Reserve", "{}");
        calls.set(0);
        Story story = Story.NOTHING_HAPPENED;
        for (int at = 0; at < sequence.length; at++) {
            Delivery delivery = sequence[at];
            int before = calls.get();
            world.crashes = delivery == Delivery.DO_CRASHING || delivery == Delivery.UNDO_CRASHING;
            world.now = delivery == Delivery.DO || delivery == Delivery.DO_CRASHING || delivery == Delivery.QUERY
                    ? World.NOW
                    : World.NOW + 10_001;
            String reply = shown(participant.handle(
                    switch (delivery) {
                        case DO, LATE_DO, DO_CRASHING -> reserve;
                        case UNDO, UNDO_CRASHING -> command(name, "undo", "Cancel", "{}");
                        case QUERY -> command(name, "query", "Reserve", "{}");
                    }));
            String where = business + " " + java.util.Arrays.toString(sequence) + " at " + at;
            // Of a crash nobody hears a reply; and what happened did not.
            if (!world.crashes) {
                String wanted;
                if (delivery == Delivery.UNDO) {
                    story = Story.TAKEN_BACK;
                    wanted = "succeeded {}";
                } else if (story == Story.NOTHING_HAPPENED && delivery == Delivery.LATE_DO) {
                    wanted = "retry expired";
                } else if (story == Story.NOTHING_HAPPENED && delivery == Delivery.QUERY) {
                    wanted = "unknown-command";
                } else if (story == Story.NOTHING_HAPPENED && business == Business.FAULTS_FIRST && before == 0) {
                    wanted = "retry busy";
                } else if (story == Story.NOTHING_HAPPENED && business == Business.THROWS_FIRST && before == 0) {
                    wanted = "retry fault";
                } else {
                    if (story == Story.NOTHING_HAPPENED) {
                        story = business == Business.REFUSES ? Story.WAS_REFUSED : Story.WORKED;
                    }
                    wanted = switch (story) {
                        case WORKED -> WORKED;
                        case WAS_REFUSED -> "failed full";
                        case TAKEN_BACK -> "failed already-undone";
                        case NOTHING_HAPPENED -> throw new AssertionError();
                    };
                }
                assertEquals(wanted, reply, where);
            }
            assertEquals(story == Story.WORKED ? 1 : 0, seatsTaken(reserve), "seats taken: " + where);
        }
    }

    @Test
    void anErrorOfAHandlerIsAnsweredAndLeavesNothing() throws Exception {
        List<Error> errors =
                List.of(new NoClassDefFoundError(), new AssertionError(), new StackOverflowError(), new OutOfMemoryError());
        for (Error error : errors) {
            Participant participant = world.participant("tickets")
                    .command("Reserve", Request.class, (tx, request, command) -> {
                        World.write(tx, "INSERT INTO seats VALUES (?)", command.id());
                        throw error;
                    })
                    .build();
            Message reserve = command("a", "do", "Reserve", "{}");
            assertEquals("retry fault", shown(participant.handle(reserve)), error::toString);
            assertEquals(0, seatsTaken(reserve));
            assertEquals(0, world.number("SELECT count(*) FROM saga_guard"));
        }
    }

    @Test
    void aRowIsKeptUntilTheLatestDeadlineOfAllAttempts() throws Exception {
        Participant participant = tickets(Business.SUCCEEDS);
        Message reserve = command("a", "do", "Reserve", "{}");
        for (long[] told : new long[][] {{500, 500}, {900, 900}, {700, 900}}) {
            participant.handle(with(reserve, Attribute.KEEP_UNTIL, Long.toString(told[0])));
            assertEquals(told[1], world.number("SELECT keep_until FROM saga_guard"));
        }
        participant.handle(with(command("a", "undo", "Cancel", "{}"), Attribute.KEEP_UNTIL, "100"));
        assertEquals(900, world.number("SELECT keep_until FROM saga_guard"), "an undo shortens nothing");
    }

    @Test
    void whatCanStillBeAskedForIsNotPurged() throws Exception {
        Participant participant = tickets(Business.SUCCEEDS);
        participant.handle(command("done", "do", "Reserve", "{}"));
        participant.handle(command("undone", "undo", "Cancel", "{}"));
        assertEquals(0, participant.purge(), "nothing is past its time");
        world.now += World.DAY;
        assertEquals(1, participant.purge(), "the undone one is");
        world.now += 29 * World.DAY;
        assertEquals("succeeded {}", shown(participant.handle(command("done", "undo", "Cancel", "{}"))));
        world.now = World.NOW;
        participant.handle(command("other", "do", "Reserve", "{}"));
        world.now += 500 * World.DAY;
        assertEquals(2, participant.purge(), "at some time even what is done goes");
    }

    @Test
    void whatWasRefusedIsNotDoneADayLater() throws Exception {
        Participant participant = tickets(Business.REFUSES);
        Message reserve = command("a", "do", "Reserve", "{}");
        Message refused = participant.handle(reserve);
        assertEquals("{\"message\":\"no seat is left\"}", refused.data());
        world.now += World.DAY;
        assertEquals(0, participant.purge());
        Message again = participant.handle(with(reserve, Attribute.DEADLINE, Long.toString(world.now + 1)));
        assertEquals(shown(refused) + refused.data(), shown(again) + again.data());
    }

    @Test
    void aRefusedUndoLeavesTheWorkDone() throws Exception {
        Participant participant = world.participant("tickets")
                .command("Reserve", Request.class, (tx, request, command) -> new Seat("1A"))
                .undo("Cancel", Seat.class, (tx, done, command) -> {
                    World.write(tx, "INSERT INTO seats VALUES (?)", command.id());
                    throw Refusal.failed("departed");
                })
                .build();
        Message reserve = command("a", "do", "Reserve", "{}");
        participant.handle(reserve);
        assertEquals("failed departed", shown(participant.handle(command("a", "undo", "Cancel", "{}"))));
        assertEquals(0, seatsTaken(reserve));
        assertEquals(WORKED, shown(participant.handle(reserve)));
    }

    @Test
    void aCompensationOfItsOwnIsWorkLikeAny() throws Exception {
        Participant participant = world.participant("mail")
                .undo("Apologize", Seat.class, (tx, done, command) -> {
                    assertNull(done, "nothing was done here before");
                    World.write(tx, "INSERT INTO seats VALUES (?)", command.id());
                })
                .build();
        Message own = with(command("a", "do", "Apologize", "{}"), Attribute.COMMAND, "a/1/reserve~/1");
        assertEquals("succeeded {}", shown(participant.handle(own)));
        assertEquals("succeeded {}", shown(participant.handle(own)));
        assertEquals(1, seatsTaken(own));
    }

    @Test
    void aReplyNamesItsCommand() throws Exception {
        Message asked = with(command("a", "do", "Reserve", "{}"), Attribute.TRACEPARENT, "00-1-2-01");
        Message reply = tickets(Business.SUCCEEDS).handle(asked);
        assertEquals("a", reply.key());
        assertEquals(
                "{\"specversion\":\"1.0\",\"type\":\"saga.reply.v1\",\"id\":\"a/1/reserve/1/do/1/succeeded\","
                        + "\"source\":\"/participants/tickets\",\"traceparent\":\"00-1-2-01\",\"command\":\"a/1/reserve/1\","
                        + "\"kind\":\"do\",\"attempt\":\"1\",\"status\":\"succeeded\",\"data\":{\"seat\":\"1A\"}}",
                reply.write());
    }

    @Test
    void theRowKeepsTheReplyAndARepeatNamesItsOwnAttempt() throws Exception {
        Participant participant = tickets(Business.SUCCEEDS);
        Message reserve = command("a", "do", "Reserve", "{}");
        String first = participant.handle(reserve).write();
        assertEquals("{\"seat\":\"1A\"}", world.text("SELECT reply FROM saga_guard"));
        String again = participant.handle(with(reserve, Attribute.ATTEMPT, "2")).write();
        assertEquals(first.replace("do/1", "do/2").replace("\"attempt\":\"1\"", "\"attempt\":\"2\""), again);
    }

    /** As every library writes it, so that one table serves a participant that is rewritten in another language. */
    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '#', value = {
        "done   | {\"seat\":\"2B\"}                       | succeeded | | {\"seat\":\"2B\"}",
        "failed | {\"code\":\"full\"}                     | failed | full | ",
        "failed | {\"code\":\"full\",\"message\":\"no seat\"} | failed | full | {\"message\":\"no seat\"}",
        "undone | {}                                      | failed | already-undone | ",
    })
    void aRowOfAnotherLibraryIsAnswered(String state, String kept, String status, String code, String data)
            throws Exception {
        Participant participant = tickets(Business.SUCCEEDS);
        world.execute("INSERT INTO saga_guard VALUES ('a/1/reserve/1', '" + state + "', '" + kept + "', 9)");
        Message reply = participant.handle(command("a", "do", "Reserve", "{}"));
        assertEquals(status, reply.attribute(Attribute.STATUS));
        assertEquals(code, reply.attribute(Attribute.CODE));
        assertEquals(data == null ? "" : data, reply.data());
    }

    @Test
    void aRefusalIsKeptWithItsCodeAndWords() throws Exception {
        tickets(Business.REFUSES).handle(command("a", "do", "Reserve", "{}"));
        assertEquals("{\"code\":\"full\",\"message\":\"no seat is left\"}", world.text("SELECT reply FROM saga_guard"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "1 2", "{", "[1,", "{\"a\":1}x", "\u0000"})
    void whatIsNoJsonIsNoCommand(String payload) throws Exception {
        Message reserve = command("a", "do", "Reserve", payload);
        if (payload.isEmpty()) {
            assertEquals(WORKED, shown(tickets(Business.SUCCEEDS).handle(reserve)), "a command without a request");
        } else {
            assertThrows(UnreadableException.class, () -> tickets(Business.SUCCEEDS).handle(reserve));
        }
    }

    @Test
    void whatIsNoCommandIsSaid() throws Exception {
        Participant participant = tickets(Business.SUCCEEDS);
        Message reserve = command("a", "do", "Reserve", "{}");
        String[][] wrong = {
            {Attribute.TYPE, null, "the attribute type is missing"},
            {Attribute.TYPE, "saga.reply.v1", "the attribute type is `saga.reply.v1`, not saga.command.v1"},
            {Attribute.COMMAND, null, "the attribute command is missing"},
            {Attribute.COMMAND, "x".repeat(501), "the attribute command has over 500 bytes"},
            {Attribute.CALL, "", "the attribute call is missing"},
            {Attribute.KIND, "redo", "the attribute kind is `redo`, not do, undo, query or message"},
            {Attribute.ATTEMPT, "0", "the attribute attempt is `0`, not 1, 2, 3 …"},
            {Attribute.ATTEMPT, "99999999999", "the attribute attempt is `99999999999`, not 1, 2, 3 …"},
            {Attribute.DEADLINE, "soon", "the attribute deadline is `soon`, not milliseconds since 1970"},
            {Attribute.KEEP_UNTIL, null, "the attribute keepuntil is missing"},
        };
        for (String[] one : wrong) {
            Message message = with(reserve, one[0], one[1]);
            assertEquals(
                    one[2],
                    assertThrows(UnreadableException.class, () -> participant.handle(message)).getMessage());
        }
        Message large = new Message("a", reserve.attributes(), "\"" + "x".repeat(Json.DATA_MAX) + "\"");
        assertThrows(UnreadableException.class, () -> participant.handle(large));
        Message deep = new Message("a", reserve.attributes(), "[".repeat(100_000));
        assertThrows(UnreadableException.class, () -> participant.handle(deep));
        assertEquals("retry unknown-call", shown(participant.handle(command("a", "do", "Refund", "{}"))));
        assertEquals(0, world.number("SELECT count(*) FROM saga_guard"), "nothing of this leaves a row");
    }

    @Test
    void aDeadlineBeyondAnyNumberIsTheLatest() throws Exception {
        Message patient = with(command("a", "do", "Reserve", "{}"), Attribute.DEADLINE, "18446744073709551615");
        assertEquals(WORKED, shown(tickets(Business.SUCCEEDS).handle(patient)));
    }

    record Stay(String hotel, int nights, BigDecimal price) {
        Stay {
            if (hotel == null) {
                throw new IllegalArgumentException("the hotel is missing");
            }
        }
    }

    @Test
    void aRequestThatDoesNotFitIsRefusedAndNothingHappened() throws Exception {
        Participant participant = world.participant("hotels")
                .command("ReserveRoom", Stay.class, (tx, stay, command) -> stay)
                .build();
        String[][] requests = {
            {"{\"hotel\":\"Lux\",\"nights\":2,\"price\":\"840.00\",\"new\":1}",
                "succeeded {\"hotel\":\"Lux\",\"nights\":2,\"price\":\"840.00\"}"},
            {"{\"hotel\":\"Lux\",\"nights\":2,\"price\":0.10}",
                "succeeded {\"hotel\":\"Lux\",\"nights\":2,\"price\":\"0.10\"}"},
            {"{\"hotel\":\"Lux\",\"nights\":\"2\"}", "failed unfit-request"},
            {"{\"hotel\":\"Lux\",\"nights\":2.5}", "failed unfit-request"},
            {"{\"hotel\":\"Lux\",\"nights\":null}", "failed unfit-request"},
            {"{\"hotel\":7,\"nights\":2}", "failed unfit-request"},
            {"{\"nights\":2}", "failed unfit-request"},
            {"[]", "failed unfit-request"},
            {"7", "failed unfit-request"},
        };
        for (int at = 0; at < requests.length; at++) {
            Message reserve = command("r" + at, "do", "ReserveRoom", requests[at][0]);
            assertEquals(requests[at][1], shown(participant.handle(reserve)), requests[at][0]);
            assertEquals(requests[at][1], shown(participant.handle(reserve)), "again: " + requests[at][0]);
        }
    }

    @Test
    void aReplyOfNothingIsAnEmptyObject() throws Exception {
        Participant participant =
                world.participant("tickets").command("Reserve", Request.class, (tx, request, command) -> null).build();
        for (int time = 0; time < 2; time++) {
            assertEquals("succeeded {}", shown(participant.handle(command("a", "do", "Reserve", "{}"))));
        }
    }

    @Test
    void aReplyThatCannotBeSentLeavesNothing() throws Exception {
        Participant participant = world.participant("tickets")
                .command("Reserve", Request.class, (tx, request, command) -> {
                    World.write(tx, "INSERT INTO seats VALUES (?)", command.id());
                    return "x".repeat(Json.DATA_MAX);
                })
                .build();
        Message reserve = command("a", "do", "Reserve", "{}");
        assertEquals("retry unwritable-reply", shown(participant.handle(reserve)));
        assertEquals(0, seatsTaken(reserve));
    }

    @Test
    void aHandlerCannotCommitBehindTheGuardsBack() throws Exception {
        Participant participant = world.participant("tickets")
                .command("Reserve", Request.class, (tx, request, command) -> {
                    World.write(tx, "INSERT INTO seats VALUES (?)", command.id());
                    tx.commit();
                    return new Seat("1A");
                })
                .build();
        Message reserve = command("a", "do", "Reserve", "{}");
        assertEquals("retry store", shown(participant.handle(reserve)));
        assertEquals(0, seatsTaken(reserve));
        assertEquals(0, world.number("SELECT count(*) FROM saga_guard"));
    }

    @Test
    void twoDeliveriesAtOnceDoTheWorkOnce() throws Exception {
        Participant participant = tickets(Business.SUCCEEDS);
        Message reserve = command("a", "do", "Reserve", "{}");
        Thread[] threads = new Thread[4];
        String[] replies = new String[threads.length];
        for (int at = 0; at < threads.length; at++) {
            int own = at;
            threads[at] = new Thread(() -> {
                try {
                    replies[own] = shown(participant.handle(reserve));
                } catch (UnreadableException error) {
                    replies[own] = error.getMessage();
                }
            });
            threads[at].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        for (String reply : replies) {
            assertEquals(WORKED, reply);
        }
        assertEquals(1, seatsTaken(reserve));
        assertEquals(1, calls.get());
    }
}
