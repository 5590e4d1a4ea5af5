"""Documented controllers: what the catalog's recipes record, and where its reference scores come from.

A policy is named by a string ``"benchmarks_catalog.policies.cartpole:expert"`` that leads to a function
``make(env) -> Controller``. A controller is called with an observation and answers with an action;
``controller.reset(seed)`` is called before every episode and makes a random one repeat itself.
``python -m benchmarks_catalog.policies`` measures them all and writes the table of ``README.md``.
"""
