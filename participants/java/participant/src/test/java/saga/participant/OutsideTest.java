package saga.participant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static saga.participant.World.command;
import static saga.participant.World.shown;

import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Work that no transaction can hold: begun, interrupted, taken up again. */
final class OutsideTest {
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
            throw new AssertionError("the process dies before the network answers");
        });
        Participant died = payments();
        assertThrows(AssertionError.class, () -> answer(died, "do", "Charge"));

        Participant participant = payments();
        assertEquals("pending", answer(participant, "do", "Charge"));
        assertEquals("pending", answer(participant, "query", "Charge"));
        assertEquals("retry still-doing", answer(participant, "undo", "Refund"));
        says.add(refuses(Refusal.retry("busy")));
        says.add(() -> {
            throw new IllegalStateException("a fault");
        });
        assertEquals(0, participant.resume().size(), "a passing fault: it stays");
        assertEquals(0, participant.resume().size(), "so does any other");
        says.add(() -> "r-1");
        List<Participant.Ended> ended = participant.resume();
        assertEquals(1, ended.size());
        assertEquals("saga.replies", ended.get(0).command().attribute(Attribute.REPLY_TO));
        assertEquals("succeeded \"r-1\"", shown(ended.get(0).reply()));
        assertEquals(4, asked.size());
        assertEquals(1, asked.stream().distinct().count(), "always the same: " + asked);

        assertEquals(0, participant.resume().size());
        assertEquals("succeeded \"r-1\"", answer(participant, "do", "Charge"));
        assertEquals("succeeded {}", answer(participant, "undo", "Refund"));
        assertEquals("failed already-undone", answer(participant, "do", "Charge"));
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
                assertEquals(1, other.resume().size());
                assertEquals("succeeded {}", answer(other, "undo", "Refund"));
            } catch (SQLException | UnreadableException error) {
                throw new AssertionError(error);
            }
            return "r-1";
        });
        assertEquals("failed already-undone", answer(participant, "do", "Charge"));
        assertEquals("failed already-undone", answer(participant, "query", "Charge"));
    }
}
