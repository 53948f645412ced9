/** Nothing was started, and nothing can be for the time being, for no fault of the run's. */
export class LaunchPostponed extends Error {
  override readonly name = "LaunchPostponed";

  constructor(cause: Error) {
    super(`Nothing can be started at the moment: ${cause.message}`, { cause });
  }
}

/** The attempt may have begun, and the launcher was told to wait no longer. Whoever traces it later finds out. */
export class LaunchUncertain extends Error {
  override readonly name = "LaunchUncertain";
  /** Ends the attempt, if there is one, as soon as that is possible. */
  readonly discard: () => void;

  constructor(discard: () => void, cause: unknown) {
    super("It is not known whether the flow run has begun.", { cause });
    this.discard = discard;
  }
}

/** True also for an error that came of one. */
export function isPostponed(error: unknown): boolean {
  if (error instanceof LaunchPostponed) return true;
  return error instanceof Error && error.cause !== undefined && isPostponed(error.cause);
}
