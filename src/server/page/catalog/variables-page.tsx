import { call } from "../api/client.ts";
import { useLiveness } from "../live/connection.ts";
import { useNow } from "../live/now.ts";
import { useResource } from "../live/resource.ts";
import { Moment } from "../pools/pool-card.tsx";
import { Command, EmptyNote, ErrorNote } from "../shell/notes.tsx";

import type { JSX } from "preact";

import type { Variable } from "../api/types.ts";

const EVERY_MS = 15_000;

/** The variables that flows and templates can read. */
export function VariablesPage(): JSX.Element {
  const now = useNow();
  const variables = useResource(
    "variables",
    (signal) => call<readonly Variable[]>("POST", "/variables/filter", { sort: "NAME_ASC" }, signal),
    { everyMs: EVERY_MS },
  );
  useLiveness();
  return (
    <main class="view" id="main" tabIndex={-1}>
      <div class="view-head">
        <h1>Variables</h1>
        <span class="muted">{variables.data?.length}</span>
      </div>
      <ErrorNote error={variables.error} />
      {variables.data?.length === 0 && (
        <EmptyNote title="No variable yet">
          <p>Flows and job templates read variables by name. Set one with the prefect command:</p>
          <Command>prefect variable set my_name my_value</Command>
        </EmptyNote>
      )}
      {(variables.data?.length ?? 0) > 0 && (
        <div class="table-scroll">
          <table aria-label="Variables">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Value</th>
                <th scope="col">Tags</th>
                <th scope="col">Changed</th>
              </tr>
            </thead>
            <tbody>
              {variables.data?.map((variable) => (
                <tr key={variable.id} tabIndex={0} data-row={variable.id}>
                  <th scope="row">{variable.name}</th>
                  <td>
                    <code class="value">
                      {typeof variable.value === "string" ? variable.value : JSON.stringify(variable.value)}
                    </code>
                  </td>
                  <td>
                    {variable.tags.map((tag) => (
                      <span key={tag} class="tag">
                        {tag}
                      </span>
                    ))}
                  </td>
                  <td>
                    <Moment timestamp={variable.updated} now={now} none="" />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </main>
  );
}
