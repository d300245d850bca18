"""The demonstration street 听澜街道, made only by commands through the engine's public functions.

Part of where the application is put together: it has a clock of its own, the virtual year from
2025-11-01 to 2026-10-31. Everybody and everything in it is invented.
"""

from web.demo.build import StreetBuilt as StreetBuilt
from web.demo.build import build_street as build_street
from web.demo.doors import door_codes as door_codes
from web.demo.hotline import Code as Code
from web.demo.hotline import codes as codes
from web.demo.town import ACCOUNTS as ACCOUNTS
from web.demo.town import BEGIN as BEGIN
from web.demo.town import END as END
from web.demo.town import ORIGIN as ORIGIN
from web.demo.town import Account as Account
from web.demo.truth import Planted as Planted
from web.demo.truth import planted as planted
from web.demo.truth import told_cases as told_cases
