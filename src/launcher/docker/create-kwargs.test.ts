import { describe, it } from "vitest";

import { engineFields } from "./create-kwargs.ts";

// What docker-py 7.1.0 makes of them (docker/models/containers.py: _create_container_args), field by field.
const KWARGS = {
  domainname: "d",
  entrypoint: "sh -c 'a b'",
  healthcheck: {
    test: "true",
    interval: 1000000,
    timeout: 2000000,
    retries: 3,
    start_period: 4000000,
  },
  hostname: "h",
  mac_address: "02:42:ac:11:00:02",
  stdin_open: true,
  stop_signal: "SIGINT",
  tty: true,
  user: 1000,
  working_dir: "/w",
  blkio_weight: 10,
  blkio_weight_device: [
    {
      Path: "/dev/sda",
      Weight: 5,
    },
  ],
  cap_add: ["SYS_PTRACE"],
  cap_drop: ["ALL"],
  cgroup_parent: "p",
  cgroupns: "host",
  cpu_count: 1,
  cpu_percent: 50,
  cpu_period: 100000,
  cpu_quota: 50000,
  cpu_rt_period: 1000,
  cpu_rt_runtime: 900,
  cpu_shares: 512,
  cpuset_cpus: "0,1",
  cpuset_mems: "0",
  device_cgroup_rules: ["c 1:3 mr"],
  device_read_bps: [
    {
      Path: "/dev/sda",
      Rate: 1,
    },
  ],
  device_read_iops: [
    {
      Path: "/dev/sda",
      Rate: 2,
    },
  ],
  device_write_bps: [
    {
      Path: "/dev/sda",
      Rate: 3,
    },
  ],
  device_write_iops: [
    {
      Path: "/dev/sda",
      Rate: 4,
    },
  ],
  device_requests: [
    {
      count: -1,
      capabilities: [["gpu"]],
    },
    {
      Driver: "nvidia",
      DeviceIDs: ["0"],
      Capabilities: [["gpu", "utility"]],
      Options: {
        a: "b",
      },
    },
  ],
  devices: ["/dev/null:/dev/x:r", "/dev/fuse"],
  dns: ["1.1.1.1"],
  dns_opt: ["ndots:1"],
  dns_search: ["x"],
  group_add: [44, "video"],
  init: true,
  ipc_mode: "host",
  isolation: "default",
  kernel_memory: "8m",
  links: {
    db: "database",
    other: null,
  },
  log_config: {
    type: "json-file",
    config: {
      "max-size": "1m",
    },
  },
  mem_reservation: "64m",
  mem_swappiness: 0,
  mounts: [
    {
      Target: "/t",
      Source: "v",
      Type: "volume",
      ReadOnly: true,
    },
  ],
  nano_cpus: 500000000,
  oom_kill_disable: true,
  oom_score_adj: 100,
  pid_mode: "host",
  pids_limit: 100,
  publish_all_ports: true,
  read_only: true,
  restart_policy: {
    Name: "no",
  },
  runtime: "runc",
  security_opt: ["no-new-privileges"],
  shm_size: "1g",
  storage_opt: {
    size: "1G",
  },
  sysctls: {
    "net.core.somaxconn": 1024,
  },
  tmpfs: ["/run", "/tmp:size=64m"],
  ulimits: [
    {
      name: "nofile",
      soft: 10,
      hard: 20,
    },
  ],
  userns_mode: "host",
  uts_mode: "host",
  volume_driver: "local",
  volumes_from: ["a:ro"],
  ports: {
    "80/tcp": 8080,
    "53/udp": null,
    "90": [1, 2],
  },
};
const HOST_CONFIG = {
  BlkioDeviceReadBps: [
    {
      Path: "/dev/sda",
      Rate: 1,
    },
  ],
  BlkioDeviceReadIOps: [
    {
      Path: "/dev/sda",
      Rate: 2,
    },
  ],
  BlkioDeviceWriteBps: [
    {
      Path: "/dev/sda",
      Rate: 3,
    },
  ],
  BlkioDeviceWriteIOps: [
    {
      Path: "/dev/sda",
      Rate: 4,
    },
  ],
  BlkioWeight: 10,
  BlkioWeightDevice: [
    {
      Path: "/dev/sda",
      Weight: 5,
    },
  ],
  CapAdd: ["SYS_PTRACE"],
  CapDrop: ["ALL"],
  CgroupParent: "p",
  CgroupnsMode: "host",
  CpuCount: 1,
  CpuPercent: 50,
  CpuPeriod: 100000,
  CpuQuota: 50000,
  CpuShares: 512,
  CpusetCpus: "0,1",
  CpusetMems: "0",
  DeviceCgroupRules: ["c 1:3 mr"],
  DeviceRequests: [
    {
      Capabilities: [["gpu"]],
      Count: -1,
      DeviceIDs: [],
      Driver: "",
      Options: {},
    },
    {
      Capabilities: [["gpu", "utility"]],
      Count: 0,
      DeviceIDs: ["0"],
      Driver: "nvidia",
      Options: {
        a: "b",
      },
    },
  ],
  Devices: [
    {
      CgroupPermissions: "r",
      PathInContainer: "/dev/x",
      PathOnHost: "/dev/null",
    },
    {
      CgroupPermissions: "rwm",
      PathInContainer: "/dev/fuse",
      PathOnHost: "/dev/fuse",
    },
  ],
  Dns: ["1.1.1.1"],
  DnsOptions: ["ndots:1"],
  DnsSearch: ["x"],
  GroupAdd: ["44", "video"],
  Init: true,
  IpcMode: "host",
  Isolation: "default",
  KernelMemory: 8388608,
  Links: ["db:database", "other"],
  LogConfig: {
    Config: {
      "max-size": "1m",
    },
    Type: "json-file",
  },
  MemoryReservation: 67108864,
  MemorySwappiness: 0,
  Mounts: [
    {
      ReadOnly: true,
      Source: "v",
      Target: "/t",
      Type: "volume",
    },
  ],
  NanoCpus: 500000000,
  OomKillDisable: true,
  OomScoreAdj: 100,
  PidMode: "host",
  PidsLimit: 100,
  PortBindings: {
    "53/udp": [
      {
        HostIp: "",
        HostPort: "",
      },
    ],
    "80/tcp": [
      {
        HostIp: "",
        HostPort: "8080",
      },
    ],
    "90/tcp": [
      {
        HostIp: "",
        HostPort: "1",
      },
      {
        HostIp: "",
        HostPort: "2",
      },
    ],
  },
  PublishAllPorts: true,
  ReadonlyRootfs: true,
  RestartPolicy: {
    Name: "no",
  },
  Runtime: "runc",
  SecurityOpt: ["no-new-privileges"],
  ShmSize: 1073741824,
  StorageOpt: {
    size: "1G",
  },
  Sysctls: {
    "net.core.somaxconn": "1024",
  },
  Tmpfs: {
    "/run": "",
    "/tmp": "size=64m",
  },
  UTSMode: "host",
  Ulimits: [
    {
      Hard: 20,
      Name: "nofile",
      Soft: 10,
    },
  ],
  UsernsMode: "host",
  VolumeDriver: "local",
  VolumesFrom: ["a:ro"],
  CpuRealtimePeriod: 1000,
  CpuRealtimeRuntime: 900,
};
const CONFIG = {
  Domainname: "d",
  Entrypoint: ["sh", "-c", "a b"],
  Healthcheck: {
    Interval: 1000000,
    Retries: 3,
    StartPeriod: 4000000,
    Test: ["CMD-SHELL", "true"],
    Timeout: 2000000,
  },
  Hostname: "h",
  MacAddress: "02:42:ac:11:00:02",
  OpenStdin: true,
  StopSignal: "SIGINT",
  Tty: true,
  User: "1000",
  WorkingDir: "/w",
  ExposedPorts: {
    "53/udp": {},
    "80/tcp": {},
    "90/tcp": {},
  },
};

describe("engineFields", () => {
  it("says everything that docker-py can say, in the Engine API's words", ({ expect }) => {
    const { config, host } = engineFields(KWARGS);
    expect(host).toEqual(HOST_CONFIG);
    expect(config).toEqual(CONFIG);
  });

  it("drops what the job has a field for, and what is only for docker-py", ({ expect }) => {
    const fields = engineFields({ image: "x", volumes: [], mem_limit: "1g", detach: true, cap_add: null });
    expect(fields).toMatchObject({ config: {}, host: {}, dropped: ["image", "volumes", "mem_limit"] });
  });

  it("takes extra hosts as a mapping or a list, and ports with an address", ({ expect }) => {
    expect(engineFields({ extra_hosts: { a: "1.2.3.4" } }).extraHosts).toEqual(["a:1.2.3.4"]);
    expect(engineFields({ extra_hosts: ["a:::1"] }).extraHosts).toEqual(["a:::1"]);
    expect(engineFields({ ports: { "80": ["127.0.0.1", 8080] } }).host).toEqual({
      PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "8080" }] },
    });
    expect(engineFields({ platform: "linux/arm64" }).platform).toBe("linux/arm64");
  });

  it("refuses what docker-py refuses, and says what to write instead", ({ expect }) => {
    expect(() => engineFields({ shm: "1g" })).toThrow("container_create_kwargs has an unknown key: shm");
    expect(() => engineFields({ environment: {} })).toThrow(
      expect.objectContaining({ hint: "Use the job variable env." }) as Error,
    );
    expect(() => engineFields({ ulimits: "nofile" })).toThrow(/ulimits must be a list of mappings/);
    expect(() => engineFields({ shm_size: "much" })).toThrow(/shm_size is no size/);
  });
});
