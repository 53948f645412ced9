/** What a server is started with. Names and defaults of the services are Prefect's (`prefect.settings.models.server`). */
export interface ServerSettings {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly dataDirectory: string;
  /** `user:password`; without it the API is open. */
  readonly authString: string | undefined;
  readonly scheduler: {
    /** Between two looks at all deployments. */
    readonly loopSeconds: number;
    /** Between two looks at those that have changed. */
    readonly changesLoopSeconds: number;
    /** Runs ahead: at least so many, and for so long; at most so many, and for so long. */
    readonly minRuns: number;
    readonly maxRuns: number;
    readonly minScheduledTimeSeconds: number;
    readonly maxScheduledTimeSeconds: number;
  };
  readonly lateRuns: { readonly loopSeconds: number; readonly afterSeconds: number };
  readonly foreman: {
    readonly loopSeconds: number;
    readonly inactivityHeartbeatMultiple: number;
    readonly fallbackHeartbeatIntervalSeconds: number;
    readonly deploymentLastPolledTimeoutSeconds: number;
    readonly workQueueLastPolledTimeoutSeconds: number;
  };
  readonly pauseExpirations: { readonly loopSeconds: number };
  readonly cancellationCleanup: { readonly loopSeconds: number; readonly cancellingTimeoutSeconds: number };
  readonly leases: { readonly loopSeconds: number };
  readonly automations: { readonly loopSeconds: number };
  readonly zombies: {
    readonly loopSeconds: number;
    /** 0: no run is ever taken for crashed. */
    readonly missedHeartbeats: number;
    /** Between two heartbeats of a run that has sent only one so far. */
    readonly heartbeatSeconds: number;
    /** No run beats more often: what comes closer together is not its rhythm. */
    readonly minHeartbeatSeconds: number;
  };
  readonly retention: { readonly loopSeconds: number; readonly eventsSeconds: number };
  readonly deploymentConcurrencySlotWaitSeconds: number;
  readonly initialDeploymentLeaseDurationSeconds: number;
  readonly tagConcurrencySlotWaitSeconds: number;
}

export const DEFAULT_SERVER_SETTINGS: Omit<ServerSettings, "dataDirectory"> = {
  host: "127.0.0.1",
  port: 4200,
  authString: undefined,
  scheduler: {
    loopSeconds: 60,
    changesLoopSeconds: 1,
    minRuns: 3,
    maxRuns: 100,
    minScheduledTimeSeconds: 3600,
    maxScheduledTimeSeconds: 100 * 86_400,
  },
  lateRuns: { loopSeconds: 5, afterSeconds: 15 },
  foreman: {
    loopSeconds: 15,
    inactivityHeartbeatMultiple: 3,
    fallbackHeartbeatIntervalSeconds: 30,
    deploymentLastPolledTimeoutSeconds: 60,
    workQueueLastPolledTimeoutSeconds: 60,
  },
  pauseExpirations: { loopSeconds: 5 },
  cancellationCleanup: { loopSeconds: 20, cancellingTimeoutSeconds: 300 },
  leases: { loopSeconds: 5 },
  automations: { loopSeconds: 5 },
  zombies: { loopSeconds: 10, missedHeartbeats: 3, heartbeatSeconds: 180, minHeartbeatSeconds: 30 },
  retention: { loopSeconds: 3600, eventsSeconds: 7 * 86_400 },
  deploymentConcurrencySlotWaitSeconds: 30,
  initialDeploymentLeaseDurationSeconds: 300,
  tagConcurrencySlotWaitSeconds: 10,
};
