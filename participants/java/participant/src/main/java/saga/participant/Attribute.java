package saga.participant;

import java.util.Set;

/** The names of attributes, and what stands in {@code type}; {@code docs/participants.md} explains each. */
final class Attribute {
    static final String SPEC_VERSION = "specversion";
    static final String TYPE = "type";
    static final String ID = "id";
    static final String SOURCE = "source";
    static final String TRACEPARENT = "traceparent";
    static final String INSTANCE = "instance";
    static final String SAGA = "saga";
    static final String STEP = "step";
    static final String COMMAND = "command";
    static final String CALL = "call";
    static final String KIND = "kind";
    static final String ATTEMPT = "attempt";
    static final String REPLY_TO = "replyto";
    static final String REPLY_PARTITION = "replypartition";
    static final String DEADLINE = "deadline";
    static final String KEEP_UNTIL = "keepuntil";
    static final String RECORD = "record";
    static final String STATUS = "status";
    static final String CODE = "code";
    static final String REQUEST = "request";
    static final String CALLBACK = "callback";

    /** All that mean something. Others may come, and are passed over. */
    static final Set<String> KNOWN = Set.of(
            SPEC_VERSION, TYPE, ID, SOURCE, TRACEPARENT, INSTANCE, SAGA, STEP, COMMAND, CALL, KIND, ATTEMPT, REPLY_TO,
            REPLY_PARTITION, DEADLINE, KEEP_UNTIL, RECORD, STATUS, CODE, REQUEST, CALLBACK);

    static final String COMMAND_TYPE = "saga.command.v1";
    static final String REPLY_TYPE = "saga.reply.v1";

    private Attribute() {}
}
