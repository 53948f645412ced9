// A module of our own, so that the import can be lazy: yaml is CommonJS, and a bundler's chunk of it has no named exports.
export { isNode, LineCounter, parseDocument } from "yaml";
