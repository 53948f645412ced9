/** What a server is started with. Names and defaults of the services are Prefect's (`prefect.settings.models.server`). */
export interface ServerSettings {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly dataDirectory: string;
  /** `user:password`; without it the API is open. */
  readonly authString: string | undefined;
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
  readonly retention: { readonly loopSeconds: number; readonly eventsSeconds: number };
  readonly deploymentConcurrencySlotWaitSeconds: number;
  readonly initialDeploymentLeaseDurationSeconds: number;
}

export const DEFAULT_SERVER_SETTINGS: Omit<ServerSettings, "dataDirectory"> = {
  host: "127.0.0.1",
  port: 4200,
  authString: undefined,
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
  retention: { loopSeconds: 3600, eventsSeconds: 7 * 86_400 },
  deploymentConcurrencySlotWaitSeconds: 30,
  initialDeploymentLeaseDurationSeconds: 300,
};
