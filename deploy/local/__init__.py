"""Apache Kafka and Valkey from pip packages alone, as processes of this user.

stack = Stack(data_dir)
stack.up()              # returns when both answer
stack.kafka_bootstrap   # 127.0.0.1:19092
stack.redis_url         # redis://127.0.0.1:16379/0
stack.down()
"""

from __future__ import annotations

from deploy.local.data_folder import default_data_dir
from deploy.local.ports import free_ports
from deploy.local.stack import ServerStatus, Stack

__all__ = ["ServerStatus", "Stack", "default_data_dir", "free_ports"]
