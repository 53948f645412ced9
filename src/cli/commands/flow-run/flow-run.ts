import { deleteFlowRun, findFlowRun } from "../../../api/manage/flow-runs.ts";
import { TERMINAL_STATES } from "../../../api/types.ts";
import { WorkerError } from "../../../errors.ts";
import { addApiAction } from "../../api-command.ts";
import { addConfirmFlags, confirm } from "../../confirm.ts";
import { wholeNumber } from "../../numbers.ts";
import { WATCH_HELP, watchRun } from "../../watch.ts";
import { addExecuteCommand } from "./execute.ts";
import { addListCommand } from "./ls.ts";
import { addLogsCommand } from "./logs.ts";
import { getFlowRun } from "./lookup.ts";

import type { Command } from "commander";

import type { StateProposal } from "../../../api/types.ts";
import type { FlowRun } from "../../../api/types.ts";
import type { ApiCall, CommandContext } from "../../api-command.ts";
import type { ConfirmFlags } from "../../confirm.ts";

const RUN = "<RUN>";

/** `lighterman flow-run`, with the words of `prefect flow-run` (prefect/cli/flow_run.py). */
export function addFlowRunCommands(group: Command, context: CommandContext): void {
  group.addHelpText(
    "after",
    "\nRUN is an id, the beginning or end of one where no other run has it, or a name that only one run has.\n",
  );
  addListCommand(group, context);

  const inspect = group.command(`inspect ${RUN}`).description("show everything about a flow run");
  addApiAction(inspect, context, async ({ api, output }, reference) => {
    output.inspect((await getFlowRun(api, reference)).json);
  });

  addLogsCommand(group, context);

  const watch = group
    .command(`watch ${RUN}`)
    .description("show the states and the log of a flow run live, until it ends")
    .option("--timeout <SECONDS>", "give up after so long", wholeNumber)
    .addHelpText("after", WATCH_HELP);
  addApiAction(watch, context, async (call: ApiCall<{ timeout?: number }>, reference) =>
    watchRun(call, await getFlowRun(call.api, reference), { timeoutSeconds: call.flags.timeout }),
  );

  const cancel = group.command(`cancel ${RUN}`).description("cancel a flow run");
  addApiAction(cancel, context, async (call, reference) => {
    const run = await getFlowRun(call.api, reference);
    await propose(call, run, { type: "CANCELLING", name: "Cancelling" }, "cancelled");
    await tell(call, run, `Flow run '${run.name}' is being cancelled.`);
  });

  addExecuteCommand(group, context);

  const retry = group
    .command(`retry ${RUN}`)
    .description("run a flow run of a deployment again that has ended");
  addApiAction(retry, context, async (call, reference) => {
    const run = await getFlowRun(call.api, reference);
    if (run.state === null || !TERMINAL_STATES.has(run.state.type)) {
      throw new WorkerError(
        "USAGE",
        `Flow run '${run.name}' has not ended yet: it is ${run.state?.name ?? "nowhere"}`,
      );
    }
    if (run.deployment_id === null) {
      throw new WorkerError(
        "USAGE",
        `Flow run '${run.name}' has no deployment, so that no worker can run it`,
      );
    }
    const state = {
      type: "SCHEDULED",
      name: "AwaitingRetry",
      message: "Retried with lighterman",
      state_details: { scheduled_time: new Date().toISOString() },
    } as const;
    await propose(call, run, state, "retried", true);
    await tell(call, run, `Flow run '${run.name}' will be run again.`);
  });

  const remove = group.command(`delete ${RUN}`).description("delete a flow run with its states and log");
  addConfirmFlags(remove);
  addApiAction(remove, context, async ({ api, io, output, flags }: ApiCall<ConfirmFlags>, reference) => {
    const run = await getFlowRun(api, reference);
    if (!(await confirm(io, flags, `Delete flow run '${run.name}' (${run.id})?`))) return 1;
    await deleteFlowRun(api, run.id);
    output.done(run.json, output.paint("green", `Deleted flow run '${run.name}' (${run.id}).`));
    return 0;
  });
}

async function propose(
  { session: { client } }: ApiCall<object>,
  run: FlowRun,
  state: StateProposal,
  done: string,
  force = false,
): Promise<void> {
  const answer = await client.setFlowRunState(run.id, state, { force });
  // A run that has not begun has nothing to be ended: the server puts it into CANCELLED at once.
  const isOver = answer?.status === "REJECT" && answer.state?.type === "CANCELLED";
  if (answer?.status === "ACCEPT" || isOver) return;
  const reason = answer === null ? "it was deleted" : (answer.reason ?? "the server gives no reason");
  throw new WorkerError("REFUSED", `Flow run '${run.name}' cannot be ${done}: ${reason}`);
}

async function tell({ api, output }: ApiCall<object>, run: FlowRun, text: string): Promise<void> {
  const latest = await findFlowRun(api, run.id);
  output.done(latest?.json ?? {}, output.paint("green", text));
}
