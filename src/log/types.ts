/** One line for `POST /logs/`; levels are Python's (10 debug, 20 info, 30 warning, 40 error, 50 critical). */
export interface LogEntry {
  readonly name: string;
  readonly level: number;
  readonly message: string;
  readonly timestamp: string;
  readonly flow_run_id?: string;
  readonly worker_id?: string;
}
