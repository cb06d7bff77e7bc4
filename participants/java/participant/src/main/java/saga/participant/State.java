package saga.participant;

/** What the guard knows of a command, as in the column {@code state}. */
enum State {
    /** Work outside the transaction is under way. */
    DOING("doing"),
    /** Done, with a reply. */
    DONE("done"),
    /** Refused: nothing happened. */
    FAILED("failed"),
    /** Taken back, or forbidden before it came. */
    UNDONE("undone");

    private final String word;

    State(String word) {
        this.word = word;
    }

    String word() {
        return word;
    }

    /** The state of that name, or null. */
    static State of(String word) {
        for (State state : values()) {
            if (state.word.equals(word)) {
                return state;
            }
        }
        return null;
    }
}
