package saga.participant;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.nio.charset.StandardCharsets;

/**
 * A command as its participant reads it.
 *
 * @param message as it came
 * @param id one id for do, undo, query and all attempts: the key of the guard, and the key under which work outside the
 *     database is recognised when it is repeated
 * @param call which command of the contract
 * @param kind what is asked
 * @param attempt 1, 2, 3 …
 * @param deadline after it nobody waits: milliseconds since 1970
 * @param keepUntil the guard keeps its row so long
 * @param payload the request, JSON
 */
public record Command(
        Message message, String id, String call, Kind kind, int attempt, long deadline, long keepUntil, String payload) {

    /** As long as an id can be; MySQL's column is as wide. */
    private static final int ID_MAX = 500;

    /** What is asked. */
    public enum Kind {
        DO("do"),
        UNDO("undo"),
        QUERY("query"),
        /** Done like a do; nobody waits for its answer, so it is never late. */
        MESSAGE("message");

        private final String word;

        Kind(String word) {
            this.word = word;
        }

        /** As in the attribute {@code kind}. */
        public String word() {
            return word;
        }

        static Kind of(String word) throws UnreadableException {
            for (Kind kind : values()) {
                if (kind.word.equals(word)) {
                    return kind;
                }
            }
            throw new UnreadableException("the attribute kind is `" + word + "`, not do, undo, query or message");
        }
    }

    /**
     * Reads a command.
     *
     * @throws UnreadableException an attribute is missing or wrong, or the data is not JSON within its limit
     */
    public static Command read(Message message) throws UnreadableException {
        String type = required(message, Attribute.TYPE);
        if (!type.equals(Attribute.COMMAND_TYPE)) {
            throw new UnreadableException("the attribute type is `" + type + "`, not " + Attribute.COMMAND_TYPE);
        }
        String id = required(message, Attribute.COMMAND);
        if (id.getBytes(StandardCharsets.UTF_8).length > ID_MAX) {
            throw new UnreadableException("the attribute command has over " + ID_MAX + " bytes");
        }
        String payload = message.data().isEmpty() ? "{}" : message.data();
        if (payload.getBytes(StandardCharsets.UTF_8).length > Json.DATA_MAX) {
            throw new UnreadableException("the data has over " + Json.DATA_MAX + " bytes");
        }
        Json.check(payload);
        Kind kind = Kind.of(required(message, Attribute.KIND));
        return new Command(
                message,
                id,
                required(message, Attribute.CALL),
                kind,
                attempt(message),
                kind == Kind.MESSAGE ? Long.MAX_VALUE : instant(message, Attribute.DEADLINE),
                instant(message, Attribute.KEEP_UNTIL),
                payload);
    }

    /** The request. One that does not fit the type is refused with the code {@code unfit-request}. */
    public <T> T request(Class<T> type) {
        try {
            return Json.read(payload, type);
        } catch (JsonProcessingException error) {
            throw Refusal.failed(Participant.UNFIT_REQUEST, call + " cannot read its request: " + error.getOriginalMessage());
        }
    }

    static String required(Message message, String name) throws UnreadableException {
        String value = message.attribute(name);
        if (value == null || value.isEmpty()) {
            throw new UnreadableException("the attribute " + name + " is missing");
        }
        return value;
    }

    private static int attempt(Message message) throws UnreadableException {
        String value = required(message, Attribute.ATTEMPT);
        try {
            int attempt = Integer.parseInt(value);
            if (attempt > 0) {
                return attempt;
            }
        } catch (NumberFormatException wrong) {
            // Said below.
        }
        throw new UnreadableException("the attribute attempt is `" + value + "`, not 1, 2, 3 …");
    }

    private static long instant(Message message, String name) throws UnreadableException {
        String value = required(message, name);
        try {
            long instant = Long.parseUnsignedLong(value);
            return instant < 0 ? Long.MAX_VALUE : instant;
        } catch (NumberFormatException wrong) {
            throw new UnreadableException("the attribute " + name + " is `" + value + "`, not milliseconds since 1970", wrong);
        }
    }
}
