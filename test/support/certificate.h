/* certificate.h: a self-signed P-256 certificate for 127.0.0.1 in two PEM files, made when a test needs it. */
#ifndef TEST_SUPPORT_CERTIFICATE_H
#define TEST_SUPPORT_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>

static inline bool certificate_write(const char *cert_path, const char *key_path, const char *common_name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_EXTENSION *alternative = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_add_ext(cert, alternative, -1);
    X509_EXTENSION_free(alternative);
    bool is_signed = X509_sign(cert, key, EVP_sha256()) > 0;
    FILE *cert_file = fopen(cert_path, "w"), *key_file = fopen(key_path, "w");
    bool is_written = is_signed && cert_file && key_file && PEM_write_X509(cert_file, cert) == 1 &&
                      PEM_write_PrivateKey(key_file, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (cert_file)
        fclose(cert_file);
    if (key_file)
        fclose(key_file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return is_written;
}

#endif
