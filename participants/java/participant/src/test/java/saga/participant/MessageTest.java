package saga.participant;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Messages as anybody may write them. */
final class MessageTest {
    private static final String GOOD = "{\"type\":\"saga.command.v1\",\"command\":\"a/1/room/1\",\"call\":\"ReserveRoom\","
            + "\"kind\":\"do\",\"attempt\":2,\"deadline\":1700000010000,\"keepuntil\":\"1700003610000\"";

    /** A command with more members. */
    private static Command read(String more) throws UnreadableException {
        return Command.read(Message.read("a", (GOOD + more + "}").getBytes(StandardCharsets.UTF_8)));
    }

    private static void isUnreadable(String event) {
        byte[] bytes = event.getBytes(StandardCharsets.UTF_8);
        assertThrows(UnreadableException.class, () -> Command.read(Message.read("a", bytes)), event);
    }

    @Test
    void membersComeInAnyOrderWithStrangersAndNumbers() throws Exception {
        Command command = read(",\n\"tomorrow\" : [1,{\"type\":1}],\"tomorrow\":2, \"traceparent\":null,"
                + "\"data\" : 840.00 , \"instance\": \"a\"");
        assertEquals(2, command.attempt());
        assertEquals(1_700_000_010_000L, command.deadline());
        assertEquals("840.00", command.payload());
        assertEquals(
                "[type, command, call, kind, attempt, deadline, keepuntil, instance]",
                command.message().attributes().keySet().toString());
        assertEquals("{}", read("").payload());
        assertEquals("{}", read(",\"data\": null ").payload(), "as if it were absent");
    }

    @ParameterizedTest
    @ValueSource(strings = {"type", "command", "data", "traceparent", "c\\u006fmmand"})
    void whatStandsTwiceIsUnreadable(String name) throws Exception {
        String once = ",\"data\":{},\"traceparent\":null";
        read(once);
        for (String value : List.of("null", "\"x\"")) {
            String twice = once + ",\"" + name + "\":" + value;
            assertTrue(assertThrows(UnreadableException.class, () -> read(twice)).getMessage().endsWith("stands twice"));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"true", "1.0", "2e3", "[]", "{}", "\"\\ud800\""})
    void anAttributeIsTextOrAWholeNumber(String value) throws Exception {
        isUnreadable(GOOD + ",\"step\":" + value + "}");
        read(",\"tomorrow\":" + value);
        read(",\"step\":\"\\ud83c\\udf89\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "7", "[]", "{}", "{", "\"", "\u0000", "{1:2}", "{\"a\" 1}", "{\"a\":1,}", "NaN"})
    void whatIsNoObjectIsNoMessage(String value) {
        isUnreadable(value);
        isUnreadable(GOOD + value);
        isUnreadable(GOOD + "}" + value + "}");
    }

    @Test
    void bytesThatAreNoTextAreNoMessage() {
        byte[] bytes = (GOOD + ",\"step\":\"#\"}").getBytes(StandardCharsets.UTF_8);
        bytes[bytes.length - 3] = -1;
        assertThrows(UnreadableException.class, () -> Message.read("a", bytes));
        isUnreadable(GOOD + ",\"data\":" + "[".repeat(200_000) + "}");
    }

    @Test
    void dataHasALimitAndSoHasWhatIsAroundIt() throws Exception {
        String largest = "{\"a\":1" + " ".repeat(Json.DATA_MAX - 7) + "}";
        assertEquals(largest, read(",\"data\":" + largest).payload());
        isUnreadable(GOOD + ",\"data\": " + largest.replace("}", " }") + "}");
        isUnreadable(GOOD + ",\"data\":\"" + "é".repeat(Json.DATA_MAX / 2) + "\"}");
        isUnreadable(GOOD + ",\"tomorrow\":\"" + "x".repeat(Message.MAX) + "\"}");
    }
}
