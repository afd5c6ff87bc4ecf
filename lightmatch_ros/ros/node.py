# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node `lightmatch`: its states and its parameters."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import rclpy
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from lightmatch_ros.core.config import NodeConfig
from lightmatch_ros.core.errors import ConfigurationError
from lightmatch_ros.ros import params
from lightmatch_ros.ros.runtime import Runtime

STOP_TIMEOUT_S = 1.0  # Ctrl-C has to end the node within 2 s
POLL_S = 0.05
EXIT_WORKER, EXIT_CONFIGURATION = 1, 2
DONE, REFUSED = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class LightmatchNode(LifecycleNode):
    """Matches the frames of one or several cameras with their keyframes.

    Configure loads and warms up, activate subscribes, deactivate unsubscribes and keeps the keyframes, cleanup
    unloads.

    Raises:
        ConfigurationError: a parameter that the node cannot start with.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("lightmatch", automatically_declare_parameters_from_overrides=True, **options)
        self.config = params.declare(self, NodeConfig())
        self.runtime: Runtime | None = None
        self.error: Exception | None = None
        self._state = "unconfigured"
        self.add_on_set_parameters_callback(self._on_parameters)

    def start(self) -> bool:
        """Configures and activates; returns whether both succeeded."""
        return bool(self.trigger_configure() == DONE and self.trigger_activate() == DONE)

    def close(self) -> bool:
        """Ends the worker and takes all topics away; returns whether the worker ended in time."""
        runtime, self.runtime = self.runtime, None
        return runtime is None or runtime.close(STOP_TIMEOUT_S)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads and warms up on the worker's thread; Ctrl-C ends the wait."""
        try:
            self.runtime = Runtime(self, self.config, lambda: self._state)
        except ConfigurationError as error:
            return self._refuse(error)
        worker = self.runtime.worker
        while not worker.ready.wait(POLL_S):
            if not self.context.ok():
                return REFUSED
        return self._refuse(worker.error) if worker.error else self._enter("inactive")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribes."""
        assert self.runtime is not None  # the state machine sees to it
        self.runtime.subscribe()
        self.get_logger().info(f"active on {', '.join(self.config.cameras)}")
        return self._enter("active")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribes."""
        assert self.runtime is not None  # the state machine sees to it
        self.runtime.unsubscribe()
        return self._enter("inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unloads."""
        return self._enter("unconfigured") if self.close() else TransitionCallbackReturn.ERROR

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unloads."""
        return self._enter("finalized") if self.close() else TransitionCallbackReturn.ERROR

    def _enter(self, state: str) -> TransitionCallbackReturn:
        self._state = state
        return DONE

    def _refuse(self, error: Exception) -> TransitionCallbackReturn:
        """Stays unconfigured and says why in one line."""
        self.error = error
        ours = isinstance(error, ConfigurationError)
        self.get_logger().fatal(str(error) if ours else f"{type(error).__name__}: {error}")
        self.close()
        return REFUSED

    def _on_parameters(self, changes: Sequence[Parameter]) -> SetParametersResult:
        """Takes live parameters over; refuses what the schema refuses."""
        try:
            self.config = params.updated(self.config, changes)
        except ConfigurationError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self.runtime is not None:
            self.runtime.worker.config = self.config
        return SetParametersResult(successful=True)


class _ToRosLog(logging.Handler):
    """Sends what the core says through Python's logging to the node's log."""

    def __init__(self, node: LightmatchNode) -> None:
        super().__init__()
        self._logger = node.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        say = self._logger.warning if record.levelno >= logging.WARNING else self._logger.info
        say(record.getMessage())


def main(args: Sequence[str] | None = None) -> int:
    """Runs the node until Ctrl-C; returns the exit code: 0, 1 for a failure at work, 2 for a bad configuration."""
    rclpy.init(args=args)
    try:
        node = LightmatchNode()
    except ConfigurationError as error:
        rclpy.logging.get_logger("lightmatch").fatal(str(error))
        rclpy.try_shutdown()
        return EXIT_CONFIGURATION
    handler = _ToRosLog(node)
    logging.getLogger("lightmatch_ros").addHandler(handler)
    code = _run(node)
    logging.getLogger("lightmatch_ros").removeHandler(handler)
    if not node.close():  # the worker is deep in a library call: no way to end its thread but the process
        sys.stderr.flush()
        os._exit(code)
    node.destroy_node()
    rclpy.try_shutdown()
    gc.freeze()  # or the interpreter's end looks for garbage among all of torch's objects: 0.7 of 0.9 s
    return code


def _run(node: LightmatchNode) -> int:
    """Spins until shutdown; returns the exit code."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if node.config.autostart and not node.start() and node.error is not None:
            return EXIT_CONFIGURATION if isinstance(node.error, ConfigurationError) else EXIT_WORKER
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if node.context.ok():
            raise  # otherwise SIGTERM took the context away while a wait was being prepared
    failed = node.runtime is not None and node.runtime.worker.error is not None
    return EXIT_WORKER if failed else 0


if __name__ == "__main__":
    sys.exit(main())
