import { part } from "./calls.ts";
import { decodeBlockDocument, decodeDeployment, decodeFlow, decodeVariable } from "./decode.ts";

import type { Json } from "../json/value.ts";
import type { Caller } from "./calls.ts";
import type { CallOptions } from "./http.ts";
import type { BlockDocument, Deployment, Flow } from "./types.ts";

/** Reads of what users define: deployments, flows, blocks, variables. Null when the object does not exist. */
export interface DefinitionCalls {
  readDeployment(id: string, options?: CallOptions): Promise<Deployment | null>;
  readDeploymentByName(flow: string, deployment: string, options?: CallOptions): Promise<Deployment | null>;
  readFlow(id: string, options?: CallOptions): Promise<Flow | null>;
  /** With its secrets in plain text, and nested blocks filled in. */
  readBlockDocumentByName(
    typeSlug: string,
    name: string,
    options?: CallOptions,
  ): Promise<BlockDocument | null>;
  /** With its secrets in plain text, and nested blocks filled in. */
  readBlockDocument(id: string, options?: CallOptions): Promise<BlockDocument | null>;
  /** The variable's value; undefined when there is no such variable, for a value may be null. */
  readVariable(name: string, options?: CallOptions): Promise<Json | undefined>;
}

export function createDefinitionCalls(caller: Caller): DefinitionCalls {
  function readBlock(path: string, options: CallOptions | undefined): Promise<BlockDocument | null> {
    return caller.find(
      { method: "GET", path: `${path}?include_secrets=true`, isSecret: true },
      decodeBlockDocument,
      options,
    );
  }

  return {
    readDeployment(id, options) {
      return caller.find({ method: "GET", path: `/deployments/${part(id)}` }, decodeDeployment, options);
    },

    readDeploymentByName(flow, deployment, options) {
      return caller.find(
        { method: "GET", path: `/deployments/name/${part(flow)}/${part(deployment)}` },
        decodeDeployment,
        options,
      );
    },

    readFlow(id, options) {
      return caller.find({ method: "GET", path: `/flows/${part(id)}` }, decodeFlow, options);
    },

    readBlockDocumentByName(typeSlug, name, options) {
      return readBlock(`/block_types/slug/${part(typeSlug)}/block_documents/name/${part(name)}`, options);
    },

    readBlockDocument(id, options) {
      return readBlock(`/block_documents/${part(id)}`, options);
    },

    async readVariable(name, options) {
      const found = await caller.find(
        { method: "GET", path: `/variables/name/${part(name)}` },
        (body) => ({ value: decodeVariable(body) }),
        options,
      );
      return found?.value;
    },
  };
}
