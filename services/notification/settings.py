"""What only notification reads from its environment: where the two SMS providers are, and the keys to sign with."""

from pydantic import Field, HttpUrl, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class SmsSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ZIKAO_SMS_", frozen=True, extra="ignore", hide_input_in_errors=True)

    aliyun_url: HttpUrl = Field(default=HttpUrl("https://dysmsapi.aliyuncs.com"))
    aliyun_key_id: str = Field(description="AccessKey ID")
    aliyun_secret: SecretStr = Field(description="AccessKey Secret")
    tencent_url: HttpUrl = Field(default=HttpUrl("https://sms.tencentcloudapi.com"))
    tencent_region: str = "ap-guangzhou"
    tencent_secret_id: str
    tencent_secret_key: SecretStr
    tencent_app_id: str = Field(description="SmsSdkAppId")
