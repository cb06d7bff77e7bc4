package saga.participant;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A message on its way.
 *
 * @param key the saga's instance
 * @param headers in their order; of headers with one name the first counts
 * @param payload JSON, or empty
 */
public record Message(String key, Map<String, String> headers, String payload) {
    public Message {
        headers = Collections.unmodifiableMap(new LinkedHashMap<>(headers));
    }

    /** The header's value, or null. */
    public String header(String name) {
        return headers.get(name);
    }

    /** As one line, {@code {"headers": {…}, "payload": …}}: what the guard keeps of a command that is being done. */
    String toLine() {
        ObjectNode line = Json.object();
        headers.forEach(line.putObject("headers")::put);
        line.putRawValue("payload", new RawValue(payload.isEmpty() ? "{}" : payload));
        return Json.write(line);
    }

    /** The payload comes back as the text that it was: of {@code 840.00} no reader makes {@code 840}. */
    static Message fromLine(String line) throws UnreadableException {
        Map<String, String> headers = new LinkedHashMap<>();
        Json.tree(line).path("headers").properties()
                .forEach(header -> headers.put(header.getKey(), header.getValue().asText()));
        return new Message(headers.getOrDefault(Header.INSTANCE, ""), headers, Json.member(line, "payload"));
    }
}
