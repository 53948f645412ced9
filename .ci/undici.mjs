// What of undici goes into the bundle. Its index loads everything that it has (mock agents, caches, fetch…): 4 MB of the
// worker's memory. A name that src/ imports and that is missing here fails the build.
import Agent from "undici/lib/dispatcher/agent.js";
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import EnvHttpProxyAgent from "undici/lib/dispatcher/env-http-proxy-agent.js";
import Pool from "undici/lib/dispatcher/pool.js";
import ProxyAgent from "undici/lib/dispatcher/proxy-agent.js";
import api from "undici/lib/api/index.js";
import buildConnector from "undici/lib/core/connect.js";
import webSocket from "undici/lib/web/websocket/websocket.js";

// As undici's index does: request(), stream()… of every dispatcher.
Object.assign(Dispatcher.prototype, api);

const { WebSocket, ping } = webSocket;

export { Agent, Dispatcher, EnvHttpProxyAgent, Pool, ProxyAgent, WebSocket, buildConnector, ping };
