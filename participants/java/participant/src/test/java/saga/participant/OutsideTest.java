package saga.participant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static saga.participant.World.command;
import static saga.participant.World.shown;

import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Work that no transaction can hold: begun, interrupted, taken up again. */
final class OutsideTest {
    /** Of a participant that goes on. */
    private static final CompletableFuture<Void> NEVER = new CompletableFuture<>();

    @TempDir
    private Path folder;

    private World world;
    /** A card network: what it was asked, by key, and what it says next. */
    private final List<String> asked = new ArrayList<>();

    private final Deque<Supplier<String>> says = new ArrayDeque<>();

    @BeforeEach
    void prepare() throws SQLException {
        world = new World(folder);
    }

    private static Supplier<String> refuses(Refusal refusal) {
        return () -> {
            throw refusal;
        };
    }

    private Participant payments() throws SQLException {
        return world.participant("payments")
                .outside("Charge", Object.class, (request, command) -> {
                    asked.add(command.id() + " " + command.payload());
                    return says.remove().get();
                })
                .undo("Refund", String.class, (tx, done, command) -> assertEquals("r-1", done))
                .build();
    }

    private static String answer(Participant participant, String kind, String call) throws UnreadableException {
        return shown(participant.handle(command("a", kind, call, "{\"amount\":840.00}")));
    }

    @Test
    void interruptedWorkIsPendingAndIsTakenUpWithItsOwnKey() throws Exception {
        says.add(() -> {
            throw new NoClassDefFoundError("nobody knows whether it worked");
        });
        Participant participant = payments();
        assertEquals("pending", answer(participant, "do", "Charge"));
        assertEquals("pending", answer(participant, "do", "Charge"));
        assertEquals("pending", answer(participant, "query", "Charge"));
        assertEquals("retry still-doing", answer(participant, "undo", "Refund"));
        says.add(refuses(Refusal.retry("busy")));
        says.add(() -> {
            throw new IllegalStateException("a fault");
        });
        assertEquals(List.of(), resumed(participant), "a passing fault: it stays");
        assertEquals(List.of(), resumed(participant), "so does any other");
        says.add(() -> "r-1");
        assertEquals(List.of("saga.replies succeeded \"r-1\""), resumed(participant));
        assertEquals(4, asked.size());
        assertEquals(1, asked.stream().distinct().count(), "always the same: " + asked);

        assertEquals(List.of(), resumed(participant));
        assertEquals("succeeded \"r-1\"", answer(participant, "do", "Charge"));
        assertEquals("succeeded {}", answer(participant, "undo", "Refund"));
        assertEquals("failed already-undone", answer(participant, "do", "Charge"));
    }

    /** Takes up what was interrupted; what was told, all of it acknowledged. */
    private static List<String> resumed(Participant participant) throws Exception {
        List<String> told = new ArrayList<>();
        participant.resume(
                (command, reply) -> told.add(command.attribute(Attribute.REPLY_TO) + " " + shown(reply)), NEVER);
        return told;
    }

    /** Has the instances' work interrupted. */
    private Participant interrupted(String... instances) throws Exception {
        Participant participant = payments();
        for (String instance : instances) {
            says.add(refuses(Refusal.retry("busy")));
            assertEquals("pending", shown(participant.handle(command(instance, "do", "Charge", "{}"))));
        }
        asked.clear();
        return participant;
    }

    private String states() throws SQLException {
        return world.text("SELECT group_concat(state) FROM (SELECT state FROM saga_guard ORDER BY command)");
    }

    @Test
    void aRowIsDoingUntilItsReplyIsToldAndStopsNoOther() throws Exception {
        Participant participant = interrupted("a", "b");
        List<String> told = new ArrayList<>();
        Participant.Tell tell = (command, reply) -> {
            told.add(command.key() + " " + shown(reply) + " " + states());
            if (told.size() == 1) {
                throw new IllegalStateException("the broker is away");
            }
        };
        says.addAll(List.of(() -> "r-1", refuses(Refusal.failed("declined")), () -> "r-1"));
        participant.resume(tell, NEVER);
        assertEquals("doing,failed", states());
        participant.resume(tell, NEVER);
        assertEquals("done,failed", states());
        assertEquals(
                List.of(
                        "a succeeded \"r-1\" doing,doing",
                        "b failed declined doing,doing",
                        "a succeeded \"r-1\" doing,failed"),
                told);
    }

    @Test
    void whatAnotherProcessEndedMeanwhileIsToldAsItsRowSays() throws Exception {
        Participant other = interrupted("a");
        Participant participant = payments();
        says.add(() -> {
            says.add(refuses(Refusal.failed("declined")));
            try {
                assertEquals(1, resumed(other).size());
            } catch (Exception error) {
                throw new AssertionError(error);
            }
            return "r-1";
        });
        assertEquals(List.of("saga.replies failed declined"), resumed(participant));
        assertEquals("failed", states());
    }

    @Test
    void theEndLetsAReplyBeToldAndBeginsNoOther() throws Exception {
        Participant participant = interrupted("a", "b");
        CompletableFuture<Void> stop = new CompletableFuture<>();
        says.add(() -> {
            stop.complete(null);
            return "r-1";
        });
        participant.resume((command, reply) -> assertEquals("a", command.key()), stop);
        assertEquals(1, asked.size());
        assertEquals("done,doing", states());
    }

    @Test
    @Timeout(value = 20, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
    void theEndAbandonsAWorldThatDoesNotAnswer() throws Exception {
        Participant participant = interrupted("a");
        CompletableFuture<Void> stop = new CompletableFuture<>();
        CompletableFuture<String> answer = new CompletableFuture<>();
        says.add(() -> {
            stop.complete(null);
            return answer.join();
        });
        participant.resume((command, reply) -> fail("nobody knows what to tell"), stop);
        answer.complete("r-1");
        assertEquals("doing", states());
    }

    @Test
    void aCommandIsKeptByTheLetter() throws Exception {
        String longer = "\"" + "é ".repeat(100_000) + "\"";
        for (String data : List.of("{}", "840.00", "-1E2", "\"\\u00e9\\n é\"", "[ 1.0, {\"a\" : 1} ]", "true", longer)) {
            Message message = command("a", "do", "Charge", data);
            assertEquals(message, Message.kept(message.write()));
        }
    }

    @Test
    void aRefusalOutsideIsKept() throws Exception {
        Participant participant = payments();
        says.add(refuses(Refusal.failed("declined")));
        assertEquals("failed declined", answer(participant, "do", "Charge"));
        assertEquals("failed declined", answer(participant, "do", "Charge"));
        assertEquals("succeeded {}", answer(participant, "undo", "Refund"));
        assertEquals(1, asked.size());
    }

    @Test
    void whatAnotherProcessEndedAndTookBackStaysTakenBack() throws Exception {
        Participant other = payments();
        Participant participant = payments();
        says.add(() -> {
            // While this one asks, another takes the work up, ends it, and is told to take it back.
            says.add(() -> "r-1");
            try {
                assertEquals(1, resumed(other).size());
                assertEquals("succeeded {}", answer(other, "undo", "Refund"));
            } catch (Exception error) {
                throw new AssertionError(error);
            }
            return "r-1";
        });
        assertEquals("failed already-undone", answer(participant, "do", "Charge"));
        assertEquals("failed already-undone", answer(participant, "query", "Charge"));
    }
}
