"""The clients of a server: boto3, plain WebDAV requests, rclone and aws-cli. Mixed into `lib.Server`."""

import functools

import lib


class Clients:
    """What a test reaches a server with."""

    def s3(self, **more):
        """A boto3 client."""
        import boto3
        from botocore.config import Config
        # boto3 presigns with version 2 for hosts it does not know, unless told.
        config = Config(s3={"addressing_style": "path"}, signature_version="s3v4", retries={"max_attempts": 1}, max_pool_connections=32,
                        **more.pop("config", {}))
        known = {"aws_access_key_id": lib.ACCESS, "aws_secret_access_key": lib.SECRET, "region_name": lib.REGION}
        return boto3.client("s3", endpoint_url=self.url, config=config, verify=str(self.ca) if self.ca else None,
                            **(known | more))

    def dav(self, method, path, **more):
        """A WebDAV request of the admin; the path is sent as it is written."""
        import requests
        more.setdefault("auth", (lib.USER, lib.PASSWORD))
        with requests.Session() as session:
            request = requests.Request(method, self.url, **more)
            prepared = session.prepare_request(request)
            prepared.url = f"{self.url}/dav{path}"
            return session.send(prepared, verify=str(self.ca) if self.ca else True, timeout=120)

    def rclone_environment(self):
        """What makes rclone know two remotes, `s3:` and `dav:`."""
        return self.environment(
            RCLONE_CONFIG=self.home / "rclone.conf",
            RCLONE_CONFIG_S3_TYPE="s3", RCLONE_CONFIG_S3_PROVIDER="Other", RCLONE_CONFIG_S3_ENDPOINT=self.url,
            RCLONE_CONFIG_S3_ACCESS_KEY_ID=lib.ACCESS, RCLONE_CONFIG_S3_SECRET_ACCESS_KEY=lib.SECRET,
            RCLONE_CONFIG_S3_REGION=lib.REGION,
            RCLONE_CONFIG_DAV_TYPE="webdav", RCLONE_CONFIG_DAV_URL=f"{self.url}/dav",
            # As `holdall mount-help` has it: with "other" neither times nor changes of equal length arrive.
            RCLONE_CONFIG_DAV_VENDOR="owncloud", RCLONE_CONFIG_DAV_USER=lib.USER, RCLONE_CONFIG_DAV_PASS=obscured(),
            # 10 ms between requests unless told: a hundred a second.
            RCLONE_CONFIG_DAV_PACER_MIN_SLEEP="0",
            RCLONE_TRANSFERS="8", RCLONE_CHECKERS="8", RCLONE_RETRIES="1", RCLONE_LOW_LEVEL_RETRIES="3",
        )

    def rclone(self, *words, **more):
        """rclone, to its end."""
        return lib.run("rclone", *words, env=self.rclone_environment(), **more)

    def aws(self, *words, **more):
        """aws-cli against this server."""
        settings = self.home / "aws.conf"
        settings.write_text("[default]\ns3 =\n  signature_version = s3v4\n")
        env = self.environment(AWS_CONFIG_FILE=settings, AWS_ACCESS_KEY_ID=lib.ACCESS, AWS_SECRET_ACCESS_KEY=lib.SECRET, AWS_REGION=lib.REGION,
                               AWS_DEFAULT_REGION=lib.REGION, AWS_MAX_ATTEMPTS="2", HOME=self.home)
        return lib.run("aws", "--endpoint-url", self.url, *words, env=env, **more)


@functools.cache
def obscured():
    """The password as rclone's configuration wants it."""
    return lib.run("rclone", "obscure", lib.PASSWORD).stdout.strip()
