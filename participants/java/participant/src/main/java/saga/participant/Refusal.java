package saga.participant;

/** Thrown by a handler that does not do it. Nothing that it wrote stays. */
public final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1L;

    enum Kind {
        FAILED,
        RETRY
    }

    private final Kind kind;
    private final String code;

    private Refusal(Kind kind, String code, String message) {
        // A refusal is an answer, not a fault: nobody looks for the line that gave it.
        super(message, null, false, false);
        this.kind = kind;
        this.code = code;
    }

    /** A business no, for good; {@code code} is one that the contract declares. */
    public static Refusal failed(String code) {
        return failed(code, null);
    }

    /** A business no, with words for people. */
    public static Refusal failed(String code, String message) {
        return new Refusal(Kind.FAILED, code, message);
    }

    /** A passing fault: it may work later. The code is for people. */
    public static Refusal retry(String code) {
        return new Refusal(Kind.RETRY, code, null);
    }

    Kind kind() {
        return kind;
    }

    /** Why. */
    public String code() {
        return code;
    }
}
