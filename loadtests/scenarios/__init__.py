"""One locustfile a scenario: what is for sale, and what its users do.

Only Locust's own process may import them: with Locust comes gevent, which changes the standard library under whoever
imports it. What a scenario needs around it stands in `loadtests/catalogue.py`.
"""
