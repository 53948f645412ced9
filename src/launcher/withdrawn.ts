/** A later worker has made certain that this attempt never begins: it takes its flow run for one that was not started. */
export class AttemptWithdrawn extends Error {
  override readonly name = "AttemptWithdrawn";

  constructor() {
    super("Another worker has taken it over.");
  }
}
