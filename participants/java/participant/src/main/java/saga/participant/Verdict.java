package saga.participant;

/** What is to be done, and answered: the table of the guard. */
enum Verdict {
    /** Work; then {@code done} or {@code failed}. */
    WORK,
    /** Take the work back; then {@code undone}, answer {@code succeeded}. */
    COMPENSATE,
    /** Nothing to take back: {@code undone}, so that a do on its way comes too late; answer {@code succeeded}. */
    FORBID,
    /** Answer {@code succeeded}: it was taken back before. */
    UNDONE_BEFORE,
    /** Answer what was answered before. */
    SAME_REPLY,
    /** Answer {@code pending}. */
    PENDING,
    /** Answer {@code retry}: what is under way cannot be taken back yet. */
    UNDO_LATER,
    /** Answer {@code failed} with the code {@code already-undone}. */
    ALREADY_UNDONE,
    /** Answer {@code retry} with the code {@code expired}, and leave no row. */
    EXPIRED,
    /** Answer {@code unknown-command}, and leave no row. */
    UNKNOWN_COMMAND;

    /** What is asked of the guard. */
    enum Ask {
        DO,
        /** Do it, but nobody waits any more. */
        LATE_DO,
        /** Never too late. */
        UNDO,
        QUERY;

        static Ask of(Command command, long now) {
            return switch (command.kind()) {
                case DO -> command.deadline() < now ? LATE_DO : DO;
                case UNDO -> UNDO;
                case QUERY -> QUERY;
                case MESSAGE -> DO;
            };
        }

        /** Whether a row is claimed for a command that has none. */
        boolean claims() {
            return this == DO || this == UNDO;
        }
    }

    /** The table; {@code known} is null where there is no row. */
    static Verdict of(Ask ask, State known) {
        if (known == null) {
            return switch (ask) {
                case DO -> WORK;
                case LATE_DO -> EXPIRED;
                case UNDO -> FORBID;
                case QUERY -> UNKNOWN_COMMAND;
            };
        }
        boolean undo = ask == Ask.UNDO;
        return switch (known) {
            case DOING -> undo ? UNDO_LATER : PENDING;
            case DONE -> undo ? COMPENSATE : SAME_REPLY;
            case FAILED -> undo ? FORBID : SAME_REPLY;
            case UNDONE -> undo ? UNDONE_BEFORE : ALREADY_UNDONE;
        };
    }
}
