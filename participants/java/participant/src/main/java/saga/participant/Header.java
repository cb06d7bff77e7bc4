package saga.participant;

/** The names of headers, and what stands in {@code ce_type}; {@code docs/participants.md} explains each. */
final class Header {
    static final String SPEC_VERSION = "ce_specversion";
    static final String TYPE = "ce_type";
    static final String ID = "ce_id";
    static final String SOURCE = "ce_source";
    static final String CONTENT_TYPE = "content-type";
    static final String TRACEPARENT = "traceparent";
    static final String INSTANCE = "saga-instance";
    static final String NAME = "saga-name";
    static final String STEP = "saga-step";
    static final String COMMAND = "saga-command";
    static final String CALL = "saga-call";
    static final String KIND = "saga-kind";
    static final String ATTEMPT = "saga-attempt";
    static final String REPLY_TO = "saga-reply-to";
    static final String REPLY_PARTITION = "saga-reply-partition";
    static final String DEADLINE = "saga-deadline";
    static final String KEEP_UNTIL = "saga-keep-until";
    static final String STATUS = "saga-status";
    static final String CODE = "saga-code";

    static final String COMMAND_TYPE = "saga.command.v1";
    static final String REPLY_TYPE = "saga.reply.v1";

    private Header() {}
}
