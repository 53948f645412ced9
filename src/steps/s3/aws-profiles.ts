// A module of its own, so that it is imported lazily and its package by name (see aws-credentials.ts).
export { parseKnownFiles as parseProfiles } from "@smithy/core/config";
