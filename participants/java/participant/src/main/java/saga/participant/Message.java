package saga.participant;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * A message on its way: a CloudEvent, one object of JSON, of which {@code data} is a member beside the attributes.
 *
 * @param key the saga's instance
 * @param attributes those that are known, in their order
 * @param data JSON, or empty
 */
public record Message(String key, Map<String, String> attributes, String data) {
    /** What a record says of its value. */
    static final String CONTENT_TYPE = "application/cloudevents+json";

    /** The largest message, in bytes: the largest data with its attributes. */
    static final int MAX = Json.DATA_MAX + (64 << 10);

    private static final String DATA = "data";

    public Message {
        attributes = Collections.unmodifiableMap(new LinkedHashMap<>(attributes));
    }

    /** The attribute's value, or null. */
    public String attribute(String name) {
        return attributes.get(name);
    }

    /**
     * Reads a message.
     *
     * @throws UnreadableException it is not one object of JSON within its limit, an attribute is no text, or one member stands
     *     twice: readers differ in which of the two counts
     */
    public static Message read(String key, byte[] event) throws UnreadableException {
        if (event.length > MAX) {
            throw new UnreadableException("it has over " + MAX + " bytes");
        }
        String json = text(event);
        Map<String, String> members = new LinkedHashMap<>();
        try (JsonParser parser = Json.parser(json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new UnreadableException("it is no object of JSON");
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken token = parser.nextToken();
                if (!name.equals(DATA) && !Attribute.KNOWN.contains(name)) {
                    parser.skipChildren();
                } else if (members.containsKey(name)) {
                    throw new UnreadableException("its member " + name + " stands twice");
                } else if (token == JsonToken.VALUE_NULL) {
                    // Counts as absent.
                    members.put(name, null);
                } else {
                    members.put(name, name.equals(DATA) ? Json.written(parser, json) : attribute(parser, name));
                }
            }
            if (parser.nextToken() != null) {
                throw new UnreadableException("it is more than one value of JSON");
            }
        } catch (IOException error) {
            throw new UnreadableException("it is not JSON", error);
        }
        String data = members.remove(DATA);
        members.values().removeIf(Objects::isNull);
        return new Message(key, members, data == null ? "" : data);
    }

    /** Reads what the guard kept. */
    static Message kept(String event) throws UnreadableException {
        Message message = read("", event.getBytes(StandardCharsets.UTF_8));
        return new Message(message.attributes.getOrDefault(Attribute.INSTANCE, ""), message.attributes, message.data);
    }

    /** As JSON. The data is the text that it was: of {@code 840.00} no writer makes {@code 840}. */
    public String write() {
        ObjectNode event = Json.object();
        attributes.forEach(event::put);
        if (!data.isEmpty()) {
            event.putRawValue(DATA, new RawValue(data));
        }
        return Json.write(event);
    }

    /** Two ids that differ in bytes that are no text must not become one. */
    static String text(byte[] bytes) throws UnreadableException {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException error) {
            throw new UnreadableException("its key or its value is not UTF-8", error);
        }
    }

    private static String attribute(JsonParser parser, String name) throws IOException, UnreadableException {
        switch (parser.currentToken()) {
            case VALUE_STRING -> {
                String text = parser.getText();
                // Half of a surrogate pair can be written in JSON, and in UTF-8 becomes a question mark.
                if (StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
                    return text;
                }
            }
            case VALUE_NUMBER_INT -> {
                return parser.getText();
            }
            default -> {}
        }
        throw new UnreadableException("the attribute " + name + " is neither text nor a whole number");
    }
}
