import { WorkerError } from "../../errors.ts";
import { splitCommand } from "../command.ts";
import { byteSize } from "./byte-size.ts";

type Fields = Record<string, unknown>;
type Convert = (value: unknown, name: string) => unknown;
/** Where an argument goes, and under which name. */
type Target = readonly [place: "config" | "host", field: string, convert?: Convert];

/** Arguments of docker-py's `containers.create` (docker/models/containers.py) in the words of the Engine API. */
const ARGUMENTS: Readonly<Record<string, Target>> = {
  domainname: ["config", "Domainname"],
  entrypoint: ["config", "Entrypoint", words],
  healthcheck: ["config", "Healthcheck", healthcheck],
  hostname: ["config", "Hostname"],
  mac_address: ["config", "MacAddress"],
  network_disabled: ["config", "NetworkDisabled"],
  stdin_open: ["config", "OpenStdin"],
  stop_signal: ["config", "StopSignal"],
  tty: ["config", "Tty"],
  user: ["config", "User", textOf],
  working_dir: ["config", "WorkingDir"],
  blkio_weight: ["host", "BlkioWeight"],
  blkio_weight_device: ["host", "BlkioWeightDevice"],
  cap_add: ["host", "CapAdd"],
  cap_drop: ["host", "CapDrop"],
  cgroup_parent: ["host", "CgroupParent"],
  cgroupns: ["host", "CgroupnsMode"],
  cpu_count: ["host", "CpuCount"],
  cpu_percent: ["host", "CpuPercent"],
  cpu_period: ["host", "CpuPeriod"],
  cpu_quota: ["host", "CpuQuota"],
  cpu_rt_period: ["host", "CpuRealtimePeriod"],
  cpu_rt_runtime: ["host", "CpuRealtimeRuntime"],
  cpu_shares: ["host", "CpuShares"],
  cpuset_cpus: ["host", "CpusetCpus"],
  cpuset_mems: ["host", "CpusetMems"],
  device_cgroup_rules: ["host", "DeviceCgroupRules"],
  device_read_bps: ["host", "BlkioDeviceReadBps"],
  device_read_iops: ["host", "BlkioDeviceReadIOps"],
  device_requests: ["host", "DeviceRequests", eachObject(deviceRequest)],
  device_write_bps: ["host", "BlkioDeviceWriteBps"],
  device_write_iops: ["host", "BlkioDeviceWriteIOps"],
  devices: ["host", "Devices", (value) => asList(value).map(device)],
  dns: ["host", "Dns"],
  dns_opt: ["host", "DnsOptions"],
  dns_search: ["host", "DnsSearch"],
  group_add: ["host", "GroupAdd", (value) => asList(value).map(textOf)],
  init: ["host", "Init"],
  ipc_mode: ["host", "IpcMode"],
  isolation: ["host", "Isolation"],
  kernel_memory: ["host", "KernelMemory", byteSize],
  links: ["host", "Links", links],
  log_config: [
    "host",
    "LogConfig",
    object((it) => ({ Type: it("type", "Type"), Config: it("config", "Config") ?? {} })),
  ],
  mem_reservation: ["host", "MemoryReservation", byteSize],
  mem_swappiness: ["host", "MemorySwappiness"],
  mounts: ["host", "Mounts"],
  nano_cpus: ["host", "NanoCpus"],
  oom_kill_disable: ["host", "OomKillDisable"],
  oom_score_adj: ["host", "OomScoreAdj"],
  pid_mode: ["host", "PidMode"],
  pids_limit: ["host", "PidsLimit"],
  publish_all_ports: ["host", "PublishAllPorts"],
  read_only: ["host", "ReadonlyRootfs"],
  restart_policy: ["host", "RestartPolicy"],
  runtime: ["host", "Runtime"],
  security_opt: ["host", "SecurityOpt"],
  shm_size: ["host", "ShmSize", byteSize],
  storage_opt: ["host", "StorageOpt"],
  sysctls: [
    "host",
    "Sysctls",
    object((_, all) => Object.fromEntries(Object.entries(all).map(([key, value]) => [key, textOf(value)]))),
  ],
  tmpfs: ["host", "Tmpfs", tmpfs],
  ulimits: ["host", "Ulimits", eachObject(ulimit)],
  userns_mode: ["host", "UsernsMode"],
  uts_mode: ["host", "UTSMode"],
  volume_driver: ["host", "VolumeDriver"],
  volumes_from: ["host", "VolumesFrom", (value) => (typeof value === "string" ? value.split(",") : value)],
};

/** Fields of the job configuration: an argument of the same name is dropped, the field counts (prefect_docker/worker.py). */
const FIELDS_OF_THE_JOB = new Set([
  "name",
  "command",
  "env",
  "labels",
  "image",
  "registry_credentials",
  "image_pull_policy",
  "networks",
  "network_mode",
  "auto_remove",
  "volumes",
  "stream_output",
  "mem_limit",
  "memswap_limit",
  "privileged",
  "container_create_kwargs",
]);
/** Meant for docker-py itself. */
const WITHOUT_MEANING = new Set(["detach", "use_config_proxy", "version"]);

export interface EngineFields {
  readonly config: Fields;
  readonly host: Fields;
  readonly extraHosts: readonly string[];
  readonly platform: string | undefined;
  /** Settings of the first network's connection, by network. */
  readonly networking: Readonly<Record<string, unknown>>;
  /** Arguments that are left out because the job has a field for them. */
  readonly dropped: readonly string[];
}

/** Reads `container_create_kwargs`. Throws TEMPLATE_INVALID for what docker-py would refuse. */
export function engineFields(kwargs: Readonly<Record<string, unknown>>): EngineFields {
  const config: Fields = {};
  const host: Fields = {};
  const dropped: string[] = [];
  for (const [name, value] of Object.entries(kwargs)) {
    if (FIELDS_OF_THE_JOB.has(name)) dropped.push(name);
    if (FIELDS_OF_THE_JOB.has(name) || WITHOUT_MEANING.has(name) || SPECIAL.has(name)) continue;
    if (value === null || value === undefined) continue;
    const target = Object.hasOwn(ARGUMENTS, name) ? ARGUMENTS[name] : undefined;
    if (target === undefined) throw unknown(name);
    const [place, field, convert] = target;
    (place === "config" ? config : host)[field] =
      convert === undefined ? value : convert(value, `container_create_kwargs.${name}`);
  }
  const { ports, extra_hosts: hosts, platform, networking_config: networking } = kwargs;
  if (isObject(ports)) {
    host["PortBindings"] = portBindings(ports);
    config["ExposedPorts"] = Object.fromEntries(Object.keys(portBindings(ports)).map((port) => [port, {}]));
  }
  return {
    config,
    host,
    dropped,
    extraHosts: isObject(hosts)
      ? Object.entries(hosts).map(([name, ip]) => `${name}:${textOf(ip)}`)
      : asList(hosts ?? []).map(textOf),
    platform: typeof platform === "string" ? platform : undefined,
    networking: isObject(networking) ? networking : {},
  };
}

const SPECIAL = new Set(["ports", "extra_hosts", "platform", "networking_config"]);

function unknown(name: string): WorkerError {
  const instead: Readonly<Record<string, string>> = { environment: "env", network: "networks" };
  const field = instead[name];
  return new WorkerError("TEMPLATE_INVALID", `container_create_kwargs has an unknown key: ${name}`, {
    hint:
      field === undefined
        ? "Its keys are the arguments of docker-py's containers.create, such as shm_size, ulimits, device_requests."
        : `Use the job variable ${field}.`,
  });
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function wrongType(name: string, expected: string): WorkerError {
  return new WorkerError("TEMPLATE_INVALID", `The job variable ${name} must be ${expected}`);
}

/** `read` gives the first of these keys that is there: docker-py takes its own names and those of the API. */
function object(make: (read: (...keys: string[]) => unknown, all: Fields) => unknown): Convert {
  return (value, name) => {
    if (!isObject(value)) throw wrongType(name, "a mapping");
    return make((...keys) => keys.map((key) => value[key]).find((found) => found !== undefined), value);
  };
}

function eachObject(make: (read: (...keys: string[]) => unknown) => unknown): Convert {
  return (value, name) => {
    if (!Array.isArray(value)) throw wrongType(name, "a list of mappings");
    return value.map((item: unknown) => object(make)(item, name));
  };
}

function words(value: unknown): unknown {
  return typeof value === "string" ? splitCommand(value) : value;
}

function deviceRequest(it: (...keys: string[]) => unknown): Fields {
  return {
    Driver: it("driver", "Driver") ?? "",
    Count: it("count", "Count") ?? 0,
    DeviceIDs: it("device_ids", "DeviceIDs") ?? [],
    Capabilities: it("capabilities", "Capabilities") ?? [],
    Options: it("options", "Options") ?? {},
  };
}

function ulimit(it: (...keys: string[]) => unknown): Fields {
  const soft = it("soft", "Soft");
  const hard = it("hard", "Hard");
  return { Name: it("name", "Name"), Soft: soft ?? hard ?? 0, Hard: hard ?? soft ?? 0 };
}

function healthcheck(value: unknown, name: string): unknown {
  return object((it) => {
    const test = it("test", "Test");
    return {
      Test: typeof test === "string" ? ["CMD-SHELL", test] : test,
      Interval: it("interval", "Interval"),
      Timeout: it("timeout", "Timeout"),
      Retries: it("retries", "Retries"),
      StartPeriod: it("start_period", "StartPeriod"),
    };
  })(value, name);
}

/** `/dev/a[:/dev/b[:rwm]]` */
function device(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const [source = "", target = source, permissions = "rwm"] = value.split(":");
  return { PathOnHost: source, PathInContainer: target, CgroupPermissions: permissions };
}

function links(value: unknown): unknown {
  if (!isObject(value)) return value;
  return Object.entries(value).map(([name, alias]) => (alias ? `${name}:${textOf(alias)}` : name));
}

function tmpfs(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return Object.fromEntries(
    value.map(textOf).map((mount) => {
      const colon = mount.indexOf(":");
      return colon === -1 ? [mount, ""] : [mount.slice(0, colon), mount.slice(colon + 1)];
    }),
  );
}

/** `{"80/tcp": 8080}`, `{"80": ["127.0.0.1", 8080]}`, `{"80": {"HostPort": 8080}}`, or null for any port. */
function portBindings(ports: Fields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(ports).map(([port, binding]) => [
      port.includes("/") ? port : `${port}/tcp`,
      isAddress(binding) ? [portBinding(binding)] : asList(binding).map(portBinding),
    ]),
  );
}

/** A tuple of docker-py, which JSON can only write as a list. */
function isAddress(binding: unknown): binding is readonly [string, unknown] {
  return (
    Array.isArray(binding) &&
    binding.length === 2 &&
    typeof binding[0] === "string" &&
    binding[0].includes(".")
  );
}

function portBinding(binding: unknown): Fields {
  if (isAddress(binding)) return { HostIp: binding[0], HostPort: textOf(binding[1] ?? "") };
  if (isObject(binding))
    return { HostIp: binding["HostIp"] ?? "", HostPort: textOf(binding["HostPort"] ?? "") };
  return { HostIp: "", HostPort: binding === null || binding === undefined ? "" : textOf(binding) };
}
