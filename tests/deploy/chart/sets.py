"""Sets of values for the chart: those that render, what these loosen on purpose, those that are refused."""

from __future__ import annotations

from typing import Any

CPU = {"name": "4 CPU", "service": "tf-serving-4cpu", "device": "cpu", "cpu": 4, "memory": "4Gi"}
GPU = {"name": "T4", "service": "tf-serving-t4", "device": "gpu", "cpu": 6, "memory": "8Gi", "gpus": 1}
CLAIM: dict[str, Any] = {"source": "claim", "claim": {"name": "models"}}
GATEWAY = {"enabled": True, "parentRefs": [{"name": "front", "namespace": "gateways"}]}
NAME = "kubernetes.io/metadata.name"  # the label that every namespace carries by itself
CLIENTS: dict[str, Any] = {
    "name": "clients",
    "backend": "tf-serving-1cpu",
    "grpc": {},
    "rest": {},
    "from": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}],
}
FRACTION = {**CPU, "name": "0.2 CPU", "service": "tf-serving-small", "cpu": 0.2, "measure": False}
OLD = {
    **CPU,
    "name": "2017",
    "service": "serving",
    "image": {"repository": "samnco/tf-models", "tag": "serving-1.0.2"},
    "command": ["/serve.sh"],
    "rest": False,
    "measure": False,
    "cpu": 0.2,
}
MORE: dict[str, Any] = {
    "labels": {"team": "ml"},
    "annotations": {"linkerd.io/inject": "enabled"},
    "nodeSelector": {"pool": "serving"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "priorityClassName": "high",
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["registry.example"]}],
    "extraEnv": [
        {"name": "TF_CPP_MIN_LOG_LEVEL", "valueFrom": {"configMapKeyRef": {"name": "log", "key": "level"}}}
    ],
    "extraVolumes": [{"name": "certificates", "secret": {"secretName": "ca"}}],
    "extraVolumeMounts": [{"name": "certificates", "mountPath": "/etc/ca", "readOnly": True}],
    "extraInitContainers": [
        {
            "name": "wait",
            "image": "busybox:1.37",
            "resources": {
                "requests": {"cpu": "1", "memory": "256Mi"},
                "limits": {"cpu": "1", "memory": "256Mi"},
            },
        }
    ],
}
DIGEST = "sha256:" + "0" * 64

GOOD: dict[str, dict[str, Any]] = {
    "defaults": {},
    "one backend": {"backends": [CPU]},
    "prices and replicas": {"backends": [{**CPU, "replicas": 3, "pricePerHour": 0.35}]},
    "embedded": {"backends": [{**CPU, "server": "embedded"}]},
    "embedded on a gpu": {
        "backends": [{**GPU, "server": "embedded", "image": {"repository": "own", "tag": "1-gpu"}}]
    },
    "own gpu nodes": {
        "backends": [
            {
                **GPU,
                "nodeSelector": {"gpu": "t4", "kubernetes.io/arch": "amd64"},
                "runtimeClassName": "nvidia",
                "tolerations": [],
            }
        ]
    },
    "own image": {"backends": [{**CPU, "image": {"repository": "registry.example/tf", "tag": "avx512"}}]},
    "digests": {
        "serving": {"image": {"repository": "tensorflow/serving", "digest": DIGEST}},
        "backends": [CPU],
    },
    "claim": {"model": {"source": "claim", "claim": {"name": "models", "subPath": "inception"}}},
    "other model": {"model": {"name": "resnet", "signature": "serving_default", "input": "image_bytes"}},
    "labels": {"model": {**CLAIM, "versions": [1, 2], "labels": {"stable": 1, "canary": 2}}},
    "batching": {"model": {"batching": {"enabled": True, "maxBatchSize": 16}}},
    "token": {"web": {"tokenSecret": "pixelcost-token"}, "monitoring": {"enabled": True}},
    "postgresql": {"web": {"replicas": 3, "database": {"secret": "pixelcost-database"}}},
    "kept runs": {"web": {"persistence": {"enabled": True, "storageClass": "fast"}}},
    "existing claim": {"web": {"persistence": {"enabled": True, "existingClaim": "runs"}}},
    "ingress": {
        "host": "pixelcost.example.org",
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a/b": "c"}},
        "web": {"service": {"type": "ClusterIP"}},
    },
    "gateway": {
        "host": "pixelcost.example.org",
        "gateway": {**GATEWAY, "grpc": {"enabled": True, "host": "grpc.example.org"}},
    },
    "hpa": {"backends": [{**CPU, "autoscaling": {"kind": "hpa", "max": 4}}]},
    "keda": {
        "monitoring": {"enabled": True},
        "backends": [
            {**CPU, "autoscaling": {"kind": "keda", "max": 4, "prometheus": "http://prometheus:9090"}}
        ],
    },
    "keda that reads rarely": {
        "monitoring": {"enabled": True, "interval": "1m"},
        "backends": [
            {
                **CPU,
                "autoscaling": {
                    "kind": "keda",
                    "max": 4,
                    "prometheus": "http://prometheus:9090",
                    "authentication": "prometheus",
                    "fallback": 2,
                },
            }
        ],
    },
    "monitoring": {"monitoring": {"enabled": True, "labels": {"release": "prometheus"}}},
    "default deny": {
        "networkPolicy": {"defaultDeny": True, "webFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        "web": {"service": {"externalTrafficPolicy": "Local"}},
    },
    "large numbers": {
        "web": {"env": {"PIXELCOST_MAX_BYTES": 40_000_000, "PIXELCOST_MAX_RUN": 90.5}},
        "model": {
            **CLAIM,
            "versions": [1_700_000_000, 9_007_199_254_740_991],
            "labels": {"stable": 1_700_000_000, "canary": 9_007_199_254_740_991},
            "batching": {"enabled": True, "maxEnqueuedBatches": 1_000_000, "batchTimeoutMicros": 10_000_000},
        },
        "backends": [{**CPU, "pricePerHour": 0.000001}],
    },
    "metrics of a page that few reach": {
        "monitoring": {"enabled": True},
        "networkPolicy": {"webFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]},
        "web": {"service": {"type": "ClusterIP"}},
    },
    "names that YAML takes for something else": {
        "host": "123",
        "ingress": {"enabled": True, "tlsSecret": "1e3", "className": "no"},
        "web": {
            "tokenSecret": "123",
            "persistence": {"enabled": True, "storageClass": "true", "existingClaim": "0"},
        },
        "model": {"name": "123", "source": "claim", "claim": {"name": "1e3", "subPath": "0"}},
        "backends": [
            {**CPU, "name": "null", "service": "null", "runtimeClassName": "true"},
            {**CPU, "name": 'a "b" \\ c: {{ d }}', "service": "y"},
        ],
    },
    "gateway names that YAML takes for something else": {
        "host": "true",
        "backends": [{**CPU, "service": "true"}],
        "gateway": {**GATEWAY, "grpc": {"enabled": True, "host": "no", "backend": "true"}},
        "monitoring": {"enabled": True},
        "networkPolicy": {"monitoringNamespace": "1"},
        "web": {"replicas": 2, "database": {"secret": "2", "key": "3"}, "tokenSecret": "4"},
    },
    "settings": {"web": {"env": {"PIXELCOST_KEEP_RUNS": 50, "PIXELCOST_LOG_LEVEL": "debug"}}},
    "queue": {"queue": {"enabled": True}},
    "another queue": {
        "web": {"tokenSecret": "pixelcost-token"},
        "backends": [CPU],
        "networkPolicy": {"defaultDeny": True},
        "queue": {
            "enabled": True,
            "stream": "photos:2026",
            "backend": "tf-serving-4cpu",
            "workers": {"min": 1, "max": 20, "jobsEach": 50, "cpu": 2, "memory": "2Gi"},
            "gateway": {"replicas": 3},
            "redis": {"maxmemory": "512mb", "memory": "1Gi", "size": "1Gi", "storageClass": "true"},
            "kedaNamespace": "1",
        },
    },
    "a private registry": {
        "imagePullSecrets": [{"name": "regcred"}],
        "serviceAccount": {
            "create": True,
            "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/r"},
        },
        "queue": {"enabled": True},
    },
    "an account that exists": {"serviceAccount": {"name": "ours"}},
    "openshift": {
        "podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None},
        "networkPolicy": {"dns": {"namespace": "openshift-dns", "ports": [5353], "cidrs": []}},
    },
    "ipv6": {
        "ip": {"families": ["IPv6"], "familyPolicy": "SingleStack"},
        "networkPolicy": {"dns": {"cidrs": ["fd00::a/128"]}},
        "backends": [{**CPU, "server": "embedded"}],
        "queue": {"enabled": True, "backend": "tf-serving-4cpu"},
    },
    "pods with more": {
        "web": {"pod": MORE},
        "serving": {"pod": {**MORE, "labels": {"team": "ml", "cost": "a"}}},
        "queue": {
            "enabled": True,
            "backend": "tf-serving-4cpu",
            "pod": {"tolerations": [{"operator": "Exists"}]},
        },
        "backends": [{**CPU, "pod": {"labels": {"cost": "b"}}}],
    },
    "only servers of others": {
        "backends": [],
        "externalBackends": [
            {"name": "KServe", "address": "flowers.models.svc:80", "targetPorts": [8080, 9000]},
            {
                "name": "OVMS",
                "address": "10.1.2.3:9000",
                "rest": 8000,
                "model": "res/net",
                "pricePerHour": 0.5,
            },
            {"name": "v6", "address": "[fd00::1]:9000"},
            {"name": "beside", "address": "tf:8500"},
            {"name": "far", "address": "tf.example.org:443", "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
        ],
    },
    "servers of others beside ours": {"externalBackends": [{"name": "old", "address": "tf:9000"}]},
    "only servers": {
        "web": {"enabled": False},
        "backends": [CPU],
        "serving": {"expose": [{**CLIENTS, "backend": "tf-serving-4cpu", "grpc": {"port": 9000}}]},
        "monitoring": {"enabled": True},
    },
    "fractions": {
        "backends": [
            CPU,
            {**FRACTION, "cpuRequest": 0.05},
            {**FRACTION, "name": "x", "service": "x", "cpu": 1.5},
        ],
    },
    "an old image": {"backends": [CPU, OLD], "model": {"batching": {"enabled": True}}},
    "exposed": {"serving": {"expose": [CLIENTS]}},
    "exposed at nodes": {
        "serving": {
            "expose": [
                {
                    **CLIENTS,
                    "type": "NodePort",
                    "externalTrafficPolicy": "Local",
                    "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                    "rest": {"nodePort": 30900},
                }
            ]
        }
    },
    "exposed by a load balancer": {
        "serving": {
            "expose": [
                {
                    **CLIENTS,
                    "type": "LoadBalancer",
                    "loadBalancerSourceRanges": ["192.0.2.0/24"],
                    "annotations": {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"},
                }
            ]
        }
    },
    "exposed by ingress": {
        "serving": {
            "expose": [
                {
                    **CLIENTS,
                    "ingressClassName": "nginx",
                    "tlsSecret": "tls",
                    "rest": {"host": "rest.example.org"},
                    "grpc": {
                        "host": "grpc.example.org",
                        "annotations": {"nginx.ingress.kubernetes.io/backend-protocol": "GRPC"},
                    },
                }
            ]
        }
    },
    "exposed by gateway": {
        "serving": {
            "expose": [
                {
                    "name": "clients",
                    "backend": "tf-serving-1cpu",
                    "parentRefs": [{"name": "front", "namespace": "gateways"}, {"name": "own"}],
                    "rest": {"host": "rest.example.org", "port": 80},
                    "grpc": {"host": "grpc.example.org"},
                }
            ]
        }
    },
    "servers asked directly": {
        "networkPolicy": {"serversFrom": [{"podSelector": {"matchLabels": {"app": "shop"}}}]}
    },
    "gateway elsewhere": {
        "host": "pixelcost.example.org",
        "gateway": {
            **GATEWAY,
            "grpc": {
                "enabled": True,
                "host": "g.x",
                "from": [{"namespaceSelector": {"matchLabels": {NAME: "envoy"}}}],
            },
        },
        "web": {"service": {"type": "ClusterIP"}},
    },
    "a database in its place": {
        "web": {"database": {"secret": "db", "to": [{"podSelector": {"matchLabels": {"app": "postgres"}}}]}}
    },
    "the page calls a collector": {
        "networkPolicy": {
            "webTo": [
                {
                    "to": [{"podSelector": {"matchLabels": {"app": "otel"}}}],
                    "ports": [{"port": 4317, "protocol": "TCP"}],
                }
            ]
        }
    },
    "a slice of a gpu": {"backends": [{**GPU, "gpuResource": "nvidia.com/mig-1g.10gb"}]},
    "another maker's gpu": {
        "backends": [
            {**GPU, "gpuResource": "amd.com/gpu", "image": {"repository": "own/tf-rocm", "tag": "2.19.1"}}
        ]
    },
    "a page behind a load balancer": {
        "web": {"service": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["192.0.2.0/24"]}}
    },
    "everything": {
        "queue": {"enabled": True, "backend": "tf-serving-4cpu"},
        "host": "pixelcost.example.org",
        "gateway": GATEWAY,
        "monitoring": {"enabled": True},
        "networkPolicy": {"defaultDeny": True},
        "model": {"versions": [1], "labels": {"stable": 1}, "batching": {"enabled": True}},
        "web": {"replicas": 2, "database": {"secret": "db"}},
        "backends": [CPU, GPU, {**CPU, "name": "own", "service": "tf-serving-own", "server": "embedded"}],
    },
}

# Values that open or loosen something on purpose: the rules that speak of it, and no others.
LOOSENED = {
    "openshift": {"non_root", "owner"},  # the cluster chooses the user
    "pods with more": {"settings"},  # a variable that is no setting of the app
    "only servers of others": {"servers", "page_calls"},  # no Service of this release
    "servers of others beside ours": {"servers", "page_calls"},
    "ci/openshift-values": {"non_root", "owner"},
    "ci/external-values": {"servers", "page_calls"},
    # It has no REST and no flags.
    "an old image": {"probes", "available", "model", "flags", "ports", "threads", "rest_pool"},
    "servers asked directly": {"quiet_servers"},
    "a database in its place": {"page_calls"},
    "the page calls a collector": {"page_calls"},
}

KEDA = {"kind": "keda", "max": 4, "prometheus": "http://prometheus:9090"}
DATABASE = {"secret": "pixelcost-database"}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "one volume for three": (
        {"web": {"replicas": 3, "database": DATABASE, "persistence": {"enabled": True}}},
        "ReadWriteOnce volume can't be attached",
    ),
    "one volume in a roll-out": (
        {"web": {"database": DATABASE, "persistence": {"enabled": True}}},
        "ReadWriteOnce",
    ),
    "gRPC and REST at one port": (
        {"serving": {"expose": [{**CLIENTS, "grpc": {"port": 8501}}]}},
        "the same port; give one",
    ),
    "the nodes' port of the page": (
        {"serving": {"expose": [{**CLIENTS, "type": "NodePort", "grpc": {"nodePort": 30501}}]}},
        "the nodePort 30501 is taken",
    ),
    "one port of the nodes for two": (
        {
            "serving": {
                "expose": [
                    {**CLIENTS, "name": name, "type": "NodePort", "rest": {"nodePort": 30600}}
                    for name in ("a", "b")
                ]
            }
        },
        "the nodePort 30600 is taken",
    ),
    "two families on one stack": (
        {"ip": {"families": ["IPv4", "IPv6"], "familyPolicy": "SingleStack"}},
        "SingleStack takes one",
    ),
    "a server with the queue's name": (
        {
            "queue": {"enabled": True, "backend": "tf-serving-4cpu"},
            "backends": [CPU, {**CPU, "name": "b", "service": "queue-redis"}],
        },
        "queue-redis is reserved for the queue",
    ),
    "a queue that is killed before it is full": (
        {"queue": {"enabled": True, "redis": {"maxmemory": "2500mb"}}},
        "more than three quarters of memory 3Gi",
    ),
    "annotations of an account that is not made": (
        {"serviceAccount": {"annotations": {"a": "b"}}},
        "need serviceAccount.create",
    ),
    "a further variable twice": (
        {"web": {"pod": {"extraEnv": [{"name": "A"}, {"name": "A"}]}}},
        "A is taken",
    ),
    "a volume of the chart": (
        {"serving": {"pod": {"extraVolumes": [{"name": "model"}]}}},
        "the name model is taken",
    ),
    "an init container of the chart": (
        {"serving": {"pod": {"extraInitContainers": [{"name": "model", "image": "a:1"}]}}},
        "the name model is taken",
    ),
    "requests in flight for hpa": (
        {"backends": [{**CPU, "autoscaling": {"kind": "hpa", "max": 2, "inFlight": 3}}]},
        "inFlight has no meaning with the kind hpa",
    ),
    "a share of the CPU for keda": (
        {
            "monitoring": {"enabled": True},
            "backends": [
                {
                    **CPU,
                    "autoscaling": {"kind": "keda", "max": 2, "cpuPercent": 3, "prometheus": "http://p"},
                }
            ],
        },
        "cpuPercent has no meaning with the kind keda",
    ),
    "a name longer than the page takes": ({"backends": [{**CPU, "name": "n" * 91}]}, "maxLength"),
    "another server at no port": (
        {"externalBackends": [{"name": "a", "address": "10.0.0.1:65536"}]},
        "address",
    ),
    "a peer that is an address and pods": (
        {
            "networkPolicy": {
                "webTo": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}, "podSelector": {}}], "ports": [{}]}]
            }
        },
        "maxProperties",
    ),
    "an address of 33 bits": ({"networkPolicy": {"webFrom": [{"ipBlock": {"cidr": "10.0.0.1/33"}}]}}, "cidr"),
    "two of one service": ({"backends": [CPU, {**CPU, "name": "b"}]}, "tf-serving-4cpu is listed twice"),
    "two of one name": ({"backends": [CPU, {**CPU, "service": "b"}]}, "4 CPU is listed twice"),
    "the page as a server": ({"backends": [{**CPU, "service": "image-resizer"}]}, "is reserved for the page"),
    "a service that begins with a digit": ({"backends": [{**CPU, "service": "4cpu"}]}, "service"),
    "a name of two lines": ({"backends": [{**CPU, "name": "a\nb"}]}, "name"),
    "a name that REST has": ({"backends": [{**CPU, "name": "4 CPU over REST"}]}, "must not end like this"),
    "a service without quotes": ({"backends": [{**CPU, "service": True}]}, "service"),
    "gRPC to nobody": (
        {"host": "a.b", "gateway": {**GATEWAY, "grpc": {"enabled": True, "host": "g.x"}}, "backends": [CPU]},
        "no backend has the service tf-serving-8cpu",
    ),
    "gRPC without a gateway": (
        {"gateway": {"grpc": {"enabled": True, "host": "g.x"}}},
        "needs gateway.enabled",
    ),
    "gRPC without a name": (
        {"host": "a.b", "gateway": {**GATEWAY, "grpc": {"enabled": True}}},
        "gateway.grpc.host",
    ),
    "keda without metrics": ({"backends": [{**CPU, "autoscaling": KEDA}]}, "keda needs monitoring.enabled"),
    "least above most": (
        {"backends": [{**CPU, "autoscaling": {"kind": "hpa", "min": 5, "max": 2}}]},
        "min 5 is above",
    ),
    "two versions of an image": ({"model": {"versions": [1, 2]}}, "an image brings one version"),
    "a version that an image never has": ({"model": {"versions": [3]}}, "which is installed as 1"),
    "nobody to ask": ({"backends": []}, "there would be nobody to ask"),
    "nothing to install": (
        {"web": {"enabled": False}, "backends": [], "externalBackends": [{"name": "a", "address": "b:1"}]},
        "needs backends: nothing would be installed",
    ),
    "servers of others without a page": (
        {"web": {"enabled": False}, "externalBackends": [{"name": "a", "address": "b:1"}]},
        "need web.enabled: only the page asks them",
    ),
    "a way to no page": (
        {"web": {"enabled": False}, "host": "a.b", "ingress": {"enabled": True}},
        "ingress.enabled needs web.enabled",
    ),
    "nothing to measure": ({"backends": [FRACTION]}, "all have measure: false"),
    "a fraction that is measured": ({"backends": [{**FRACTION, "measure": True}]}, "cpu"),
    "less than a request": ({"backends": [CPU, {**FRACTION, "cpuRequest": 0.5}]}, "cpuRequest is above cpu"),
    "a request of a measured server": ({"backends": [{**CPU, "cpuRequest": 1}]}, "cpuRequest|not"),
    "two with the name of a server of others": (
        {"backends": [CPU], "externalBackends": [{"name": "4 CPU", "address": "a:1"}]},
        "externalBackends: the name 4 CPU is listed twice",
    ),
    "a server of others whose place nobody knows": (
        {"externalBackends": [{"name": "far", "address": "tf.example.org:443"}]},
        "name them in `to`, as NetworkPolicy peers",
    ),
    "a server of others without a port": ({"externalBackends": [{"name": "a", "address": "b"}]}, "address"),
    "exposed to nobody": (
        {"serving": {"expose": [{**CLIENTS, "from": []}]}},
        "name who may ask in `from`, as NetworkPolicy peers; nobody else passes",
    ),
    "exposed to a peer that says nothing": ({"serving": {"expose": [{**CLIENTS, "from": [{}]}]}}, "from"),
    "exposing nobody": (
        {"serving": {"expose": [{**CLIENTS, "backend": "tf-serving-2cpu"}]}},
        "no backend has the service tf-serving-2cpu",
    ),
    "exposing nothing": (
        {"serving": {"expose": [{k: v for k, v in CLIENTS.items() if k not in ("grpc", "rest")}]}},
        "offers neither grpc nor rest",
    ),
    "exposing REST that is not there": (
        {"backends": [CPU, OLD], "serving": {"expose": [{**CLIENTS, "backend": "serving"}]}},
        r"serving has no REST \(rest: false\)",
    ),
    "exposed twice": ({"serving": {"expose": [CLIENTS, CLIENTS]}}, "the name clients is taken"),
    "exposed under the name of a server": (
        {"serving": {"expose": [{**CLIENTS, "name": "tf-serving-8cpu"}]}},
        "the name tf-serving-8cpu is taken by another Service",
    ),
    "exposed by two ways": (
        {
            "serving": {
                "expose": [
                    {
                        **CLIENTS,
                        "ingressClassName": "a",
                        "parentRefs": [{"name": "b"}],
                        "rest": {"host": "a.b"},
                    }
                ]
            }
        },
        "two ways for one name",
    ),
    "a host without a way": (
        {"serving": {"expose": [{**CLIENTS, "rest": {"host": "a.b"}}]}},
        "a host needs ingressClassName or parentRefs",
    ),
    "a way without a host": (
        {"serving": {"expose": [{**CLIENTS, "ingressClassName": "nginx"}]}},
        "ingressClassName and parentRefs need a host",
    ),
    "a certificate at a gateway": (
        {
            "serving": {
                "expose": [
                    {**CLIENTS, "tlsSecret": "t", "parentRefs": [{"name": "b"}], "rest": {"host": "a.b"}}
                ]
            }
        },
        "tlsSecret belongs to ingressClassName",
    ),
    "a port of nodes without them": (
        {"serving": {"expose": [{**CLIENTS, "rest": {"nodePort": 30900}}]}},
        "nodePort and externalTrafficPolicy need the type NodePort",
    ),
    "exposed to addresses that nobody sees": (
        {
            "serving": {
                "expose": [{**CLIENTS, "type": "NodePort", "from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]
            }
        },
        "needs externalTrafficPolicy: Local",
    ),
    "ranges without a balancer": (
        {"serving": {"expose": [{**CLIENTS, "loadBalancerSourceRanges": ["10.0.0.0/8"]}]}},
        "needs the type LoadBalancer",
    ),
    "clients by addresses that the page never sees": (
        {"networkPolicy": {"webFrom": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}},
        "needs web.service.externalTrafficPolicy: Local",
    ),
    "a policy for traffic that is not there": (
        {"web": {"service": {"type": "ClusterIP", "externalTrafficPolicy": "Local"}}},
        "externalTrafficPolicy needs the type NodePort or LoadBalancer",
    ),
    "the page's ranges without a balancer": (
        {"web": {"service": {"loadBalancerSourceRanges": ["10.0.0.0/8"]}}},
        "web.service.loadBalancerSourceRanges needs the type LoadBalancer",
    ),
    "calls to everybody": ({"networkPolicy": {"webTo": [{"to": [], "ports": [{"port": 443}]}]}}, "to"),
    "half a user": (
        {"podSecurityContext": {"runAsUser": None}},
        "give runAsUser, runAsGroup and fsGroup, or set all three to null",
    ),
    "root": ({"podSecurityContext": {"runAsUser": 0}}, "runAsUser"),
    "a variable twice": (
        {"web": {"env": {"TZ": "UTC"}, "pod": {"extraEnv": [{"name": "TZ", "value": "a"}]}}},
        "TZ is set by the chart or by web.env",
    ),
    "a readable token": (
        {"web": {"pod": {"extraEnv": [{"name": "PIXELCOST_TOKEN", "value": "a"}]}}},
        "PIXELCOST_TOKEN is set by the chart",
    ),
    "a server's variable twice": (
        {"serving": {"pod": {"extraEnv": [{"name": "CUDA_CACHE_PATH", "value": "/x"}]}}},
        "CUDA_CACHE_PATH is set by the chart",
    ),
    "another app": ({"web": {"pod": {"labels": {"app": "x"}}}}, "app is the chart's own"),
    "no names at all": ({"web": {"pod": {"dnsPolicy": "None"}}}, "None needs dnsConfig with nameservers"),
    "monitoring under another app": (
        {"monitoring": {"enabled": True, "labels": {"app": "x"}}},
        "propertyName 'app'",
    ),
    "flags of a command": (
        {"backends": [CPU, {**OLD, "flags": ["--x=1"]}]},
        "a command of your own takes args",
    ),
    "arguments of nothing": ({"backends": [{**CPU, "args": ["a"]}]}, "args belong to a command"),
    "a command without its image": (
        {"backends": [CPU, {k: v for k, v in OLD.items() if k != "image"}]},
        "a command of your own needs the image",
    ),
    "a command beside a server": (
        {"backends": [CPU, {**OLD, "server": "embedded"}]},
        "server chooses the command",
    ),
    "versions for a command": (
        {"model": {**CLAIM, "versions": [1]}, "backends": [CPU, OLD]},
        "reach only servers that the chart starts",
    ),
    "no REST in TensorFlow Serving": (
        {"backends": [{**CPU, "rest": False}]},
        "TensorFlow Serving always has REST",
    ),
    "another maker's gpu with the stock image": (
        {"backends": [{**GPU, "gpuResource": "amd.com/gpu"}]},
        "the stock image is for NVIDIA's GPUs",
    ),
    "a misspelt gpu": ({"backends": [{**GPU, "gpuResource": "nvidia.com/gpus"}]}, "gpuResource"),
    "a gpu's name without a gpu": (
        {"backends": [{**CPU, "gpuResource": "nvidia.com/gpu"}]},
        "gpuResource|not",
    ),
    "a pull secret by name alone": ({"imagePullSecrets": ["regcred"]}, "imagePullSecrets"),
    "the name of the test": (
        {"backends": [{**CPU, "service": "pixelcost-test"}]},
        "reserved for `helm test`",
    ),
    "extra volumes of the queue": ({"queue": {"pod": {"extraEnv": [{"name": "A"}]}}}, "queue|pod"),
    "a label of nothing": (
        {"model": {**CLAIM, "versions": [2], "labels": {"stable": 1}}},
        "stable is version 1",
    ),
    "a label with quotes": (
        {"model": {**CLAIM, "versions": [1], "labels": {'st"able': 1}}},
        "labels|st.+able",
    ),
    "the embedded image on a gpu": ({"backends": [{**GPU, "server": "embedded"}]}, "does not support GPUs"),
    "backends taken away": ({"backends": None}, "backends"),
    "an image taken away": ({"web": {"image": None}}, "image"),
    "a folder above": ({"model": {"name": ".."}}, "name"),
    "a path that is YAML": (
        {"model": {"source": "claim", "claim": {"name": "m", "subPath": "a: b"}}},
        "subPath",
    ),
    "a path out of the claim": (
        {"model": {"source": "claim", "claim": {"name": "m", "subPath": "../x"}}},
        "subPath",
    ),
    "no memory": ({"backends": [{**CPU, "memory": "0Gi"}]}, "memory"),
    "another port": ({"backends": [{**CPU, "flags": ["--port=9000"]}]}, "--port=9000 is set by the chart"),
    "another page port": ({"web": {"env": {"PORT": 8080}}}, "web.env: PORT is fixed"),
    "a readable password": (
        {"web": {"env": {"DATABASE_URL": "postgresql://a:b@c/d"}}},
        "DATABASE_URL is set by the value web.database",
    ),
    "a price that is none": ({"backends": [{**CPU, "pricePerHour": 3_000_000}]}, "pricePerHour"),
    "another processor": ({"backends": [{**CPU, "nodeSelector": {"kubernetes.io/arch": "arm64"}}]}, "arch"),
    "a repository with a tag": ({"web": {"image": {"repository": "r/x:3"}}}, "repository"),
    "the key tmp": ({"backends": [{**CPU, "tmp": "1Gi"}]}, "tmp"),
    "deny without policies": (
        {"networkPolicy": {"defaultDeny": True, "enabled": False}},
        "networkPolicy.enabled",
    ),
    "a queue that asks nobody": (
        {"queue": {"enabled": True, "backend": "tf-serving-2cpu"}},
        "no backend has the service tf-serving-2cpu",
    ),
    "more workers than there may be": ({"queue": {"workers": {"min": 9}}}, "min 9 is above max 8"),
    "a stream with spaces": ({"queue": {"stream": "a b"}}, "stream"),
    "a misspelt value": ({"backend": []}, "backend"),
    "half a cpu": ({"backends": [{**CPU, "cpu": 0.5}]}, "cpu"),
    "a starved gpu": ({"backends": [{**GPU, "cpu": 1}]}, "cpu"),
    "a gpu server without a gpu": ({"backends": [{k: v for k, v in GPU.items() if k != "gpus"}]}, "gpus"),
    "a cpu server with a gpu": ({"backends": [{**CPU, "gpus": 1}]}, "gpus|not"),
    "the tag latest": ({"web": {"image": {"repository": "pixelcost-web", "tag": "latest"}}}, "tag"),
    "a digest cut short": ({"model": {"image": {"repository": "m", "digest": "sha256:abc"}}}, "digest"),
    "a claim without a name": ({"model": {"source": "claim"}}, "claim"),
    "keda without prometheus": (
        {"backends": [{**CPU, "autoscaling": {"kind": "keda", "max": 2}}]},
        "prometheus",
    ),
    "replicas on sqlite": ({"web": {"replicas": 2}}, "several web processes can't share an SQLite file"),
    "a front without a name": ({"ingress": {"enabled": True}}, "need host"),
    "a gateway without a parent": (
        {"host": "a.b", "gateway": {"enabled": True, "parentRefs": []}},
        "parentRefs",
    ),
    "a service name with capitals": ({"backends": [{**CPU, "service": "TF"}]}, "service"),
    "a node port out of range": ({"web": {"service": {"nodePort": 80}}}, "nodePort"),
}
