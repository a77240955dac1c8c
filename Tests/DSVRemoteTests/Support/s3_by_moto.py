#!/usr/bin/env python3
"""Moto's S3 with authentication on. Prints "endpoint key secret key secret …" once it serves, and ends when standard input does.

Needs what Tests/requirements.txt names.
"""
import os
import sys

USERS = ("dsv", "dsv-2", "dsv-3", "dsv-4")
SETTING_UP = 3 * len(USERS)  # requests that need no signature: the ones below
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = str(SETTING_UP)

import boto3  # noqa: E402
from flask import request  # noqa: E402
from moto import backends  # noqa: E402
from moto.core.authorization import ActionAuthenticatorMixin  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402
from werkzeug.serving import WSGIRequestHandler  # noqa: E402

authenticate = ActionAuthenticatorMixin._authenticate_and_authorize_action


def authenticate_as_sent(self, *arguments):
    """Moto looks at the URL as decoded for reading; what was signed is the one that came."""
    decoded, self.uri = self.uri, request.environ["RAW_URI"]
    try:
        authenticate(self, *arguments)
    finally:
        self.uri = decoded


ActionAuthenticatorMixin._authenticate_and_authorize_action = authenticate_as_sent
# Moto reads its own folder for each request, with all others waiting, and tells each: most of its time.
modules = list(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: modules
WSGIRequestHandler.log_request = lambda *arguments, **options: None
WSGIRequestHandler.protocol_version = "HTTP/1.1"  # as real servers speak, but each connection is for one request
WSGIRequestHandler.disable_nagle_algorithm = True
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"

iam = boto3.client("iam", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
words = [endpoint]
for name in USERS:
    iam.create_user(UserName=name)
    iam.put_user_policy(
        UserName=name, PolicyName="all",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}')
    key = iam.create_access_key(UserName=name)["AccessKey"]
    words += [key["AccessKeyId"], key["SecretAccessKey"]]
print(*words, flush=True)
sys.stdin.read()
os._exit(0)
