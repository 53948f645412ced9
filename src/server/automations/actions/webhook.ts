import { coerceError } from "../../../errors.ts";
import { textIn } from "../../../json/object.ts";
import { isJsonObject } from "../../../json/value.ts";
import { dataOf } from "../../blocks/documents.ts";
import { findBlockType } from "../../blocks/types.ts";
import { ActionFailed } from "./outcome.ts";
import { templateNames } from "./template-names.ts";

import type { JsonObject } from "../../../json/value.ts";
import type { BlockDocumentRow } from "../../blocks/documents.ts";
import type { ServerContext } from "../../context.ts";
import type { Commit } from "./prepare.ts";
import type { TriggeredAction } from "./triggered-action.ts";

const TIMEOUT_MS = 10_000;
const MAX_BODY = 1000;
const HIDDEN_HEADER =
  /^(?:authorization|traceparent|via)$|^(?:x-forwarded|x-b3|x-cloud-trace|x-envoy|x-prefect)/i;

/** Calls the address of a webhook block with the rendered payload (prefect: CallWebhook). It may be called twice when the server is killed meanwhile. */
export async function callWebhook(
  context: ServerContext,
  triggered: TriggeredAction,
  signal: AbortSignal,
): Promise<Commit> {
  const { action } = triggered;
  const id = textIn(action, "block_document_id") ?? "";
  const block = context.database.get<BlockDocumentRow>("SELECT * FROM block_document WHERE id = ?", id);
  if (block === undefined) throw new ActionFailed("Unexpected status from 'call-webhook' action: 404");
  const slug = findBlockType(context.database, block.block_type_id)?.slug;
  if (slug !== "webhook") throw new ActionFailed("The referenced block was not a webhook block");
  const related = [
    {
      "prefect.resource.id": `prefect.block-document.${block.id}`,
      "prefect.resource.role": "block",
      "prefect.resource.name": block.name ?? "",
    },
    { "prefect.resource.id": "prefect.block-type.webhook", "prefect.resource.role": "block-type" },
  ];
  const payload = await render(context, triggered, textIn(action, "payload") ?? "").catch(
    (thrown: unknown) => {
      const problem = coerceError(thrown).message;
      const details = { template_error: problem, template_source: action["payload"] ?? null };
      throw new ActionFailed(`Template rendering failed: ${problem}`, { related, details });
    },
  );
  const details = await call(context, block, payload, signal).catch((thrown: unknown) => {
    if (thrown instanceof ActionFailed) throw new ActionFailed(thrown.message, { related });
    const error = coerceError(thrown);
    throw new ActionFailed(`Webhook call failed: ${coerceError(error.cause ?? error).message}`, { related });
  });
  return () => ({ related, details });
}

async function call(
  context: ServerContext,
  block: BlockDocumentRow,
  payload: string,
  signal: AbortSignal,
): Promise<JsonObject> {
  const { url, method, headers, allow_private_urls: isPrivateAllowed, verify } = dataOf(context, block);
  if (typeof url !== "string" || !URL.canParse(url))
    throw new ActionFailed("The webhook block has no valid url");
  // What the block asks for besides is not done by halves.
  for (const [name, value] of Object.entries({ allow_private_urls: isPrivateAllowed, verify }))
    if (value === false) throw new ActionFailed(`This server cannot call webhooks with ${name} switched off`);
  const verb = typeof method === "string" ? method : "POST";
  const response = await fetch(url, {
    method: verb,
    redirect: "manual",
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    ...(isJsonObject(headers) ? { headers: headers as Record<string, string> } : {}),
    ...(verb === "GET" ? {} : { body: payload }),
  });
  const text = await response.text();
  return {
    status_code: response.status,
    response_body: text.length > MAX_BODY ? `${text.slice(0, MAX_BODY - 3)}...` : text,
    response_headers: Object.fromEntries([...response.headers].filter(([name]) => !HIDDEN_HEADER.test(name))),
  };
}

async function render(context: ServerContext, triggered: TriggeredAction, template: string): Promise<string> {
  const { templates } = await context.schemaTools();
  return templates.render(template, templateNames(context, triggered, templates.namesIn(template)));
}
