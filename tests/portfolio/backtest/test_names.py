"""The function wins over the package of the same name, and both can be had."""

import importlib

import portfolio
from portfolio.backtest import PastView, backtest


def test_function_and_package_share_a_name():
    assert portfolio.backtest is backtest
    assert callable(portfolio.check_no_lookahead)
    # a later import of a file in the package must not turn the name into the package
    importlib.import_module("portfolio.backtest.account")
    assert portfolio.backtest is backtest
    package = importlib.import_module("portfolio.backtest")
    assert package.PastView is PastView
    assert all(hasattr(package, name) for name in package.__all__)
    assert sorted(package.__all__) == package.__all__
