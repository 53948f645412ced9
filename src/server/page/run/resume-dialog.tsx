import { useState } from "preact/hooks";

import { resumeRun } from "../api/actions.ts";
import { call, reasonText } from "../api/client.ts";
import { fieldsOf, firstValues, parametersOf } from "../deployments/parameter-fields.ts";
import { ParameterForm } from "../deployments/parameter-form.tsx";
import { Store, useStore } from "../live/store.ts";
import { Dialog } from "../shell/dialog.tsx";
import { say } from "../shell/toasts.tsx";

import type { JSX } from "preact";

import type { FlowRun, JsonObject } from "../api/types.ts";

interface Question {
  readonly run: FlowRun;
  readonly schema: JsonObject;
}

const question = new Store<Question | undefined>(undefined);

/** Opens the form for the input that a paused run waits for; its schema lies among the run's inputs (prefect/input/run_input.py). */
export async function offerResume(run: FlowRun): Promise<void> {
  const key = run.state?.state_details.run_input_keyset?.schema ?? "";
  const schema = await call<JsonObject | string>(
    "GET",
    `/flow_runs/${run.id}/input/${encodeURIComponent(key)}`,
  );
  question.set({ run, schema: typeof schema === "string" ? (JSON.parse(schema) as JsonObject) : schema });
}

/** The form, while a run asks. */
export function ResumeDialogHost(): JSX.Element | null {
  const asked = useStore(question);
  if (asked === undefined) return null;
  return <ResumeDialog key={asked.run.id} question={asked} onClose={() => question.set(undefined)} />;
}

function ResumeDialog({
  question: { run, schema },
  onClose,
}: {
  readonly question: Question;
  readonly onClose: () => void;
}): JSX.Element {
  const fields = fieldsOf(schema);
  const [values, setValues] = useState(firstValues(fields, {}));
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({});

  async function submit(): Promise<void> {
    const result = parametersOf(fields, values);
    if (result.problems !== undefined) {
      setProblems(result.problems);
      return;
    }
    try {
      await resumeRun(run.id, result.parameters);
      say(`${run.name} goes on`);
      onClose();
    } catch (thrown) {
      setProblems({ "": reasonText(thrown) });
    }
  }

  return (
    <Dialog title={`${run.name} waits for an input`} onClose={onClose} isWide>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <ParameterForm fields={fields} values={values} problems={problems} onChange={setValues} />
        {problems[""] !== undefined && (
          <p class="error-note" role="alert">
            {problems[""]}
          </p>
        )}
        <div class="dialog-buttons">
          <button type="button" class="button" onClick={onClose}>
            Later
          </button>
          <button type="submit" class="button primary">
            Resume
          </button>
        </div>
      </form>
    </Dialog>
  );
}
