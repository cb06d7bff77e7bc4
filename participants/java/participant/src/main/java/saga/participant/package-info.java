/**
 * A participant of sagas: handlers by the name of their command, behind the guard.
 *
 * <pre>
 *   KafkaService   a command's record -> Message -> Participant -> Message -> the reply's record
 *   Participant    Command -> Transaction (claim, find) -> Verdict -> handler -> settle, commit -> reply
 *   Dialect        the SQL of the guard's table, for each database
 * </pre>
 *
 * The guard's row is written in the transaction of the work, so that a command which comes twice, late, or behind its own
 * undo does its work at most once. {@code docs/participants.md} of the project explains the protocol; the table in
 * {@link saga.participant.Verdict} is the one that stands there.
 */
package saga.participant;
